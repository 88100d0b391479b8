"""What is known of one contact. Immutable; compact on the wire (arrays, not maps). Times are ms since the epoch.

Nothing here can hold itself, so the cycle collector need not look: it would walk through every cached row (``gc``).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from services.evaluator.core.recent import Recent
from shared.messages.contact import MessageStatus, SuppressionReason
from shared.messages.event import Event

TimerKind = Literal["step", "send", "exit", "watch"]

NEVER = 2**64 - 1
"""A due time that never comes; it sorts after every other and fills eight bytes."""


OCCURRENCE = "occurrence"
"""What the ``event`` of a run has that a date, calendar or schedule started: the occurrence's local date."""


OCCURRED_AT_MOST = 10
"""Occurrences of one trigger that are remembered: those that a new date or zone may bring back."""


class Timer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that happens at ``due``.

    To a run: its ``step`` goes on (``step``), is asked again whether it may send (``send``), or its exit rule number
    ``step`` applies (``exit``). To the contact: the watch of key ``step`` comes due (``watch``).
    """

    due: int
    kind: TimerKind
    step: str


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One contact inside one journey, at one step.

    ``cause`` is what started it (a messageId). ``event`` is the event that caused the entry, as templates see it.
    ``visits`` counts how often each step was entered. ``sends`` counts messages decided and not known to have failed.
    ``tried_at`` is when the message that is deferred now was first asked for; ``variants`` the experiment ways taken.
    ``marks`` say when the newest message of a step was last ``step/opened`` and so on, where a condition asks for it.
    ``deferred`` are the messages of the step that wait, by channel (``mode: all``, else empty), with when each is asked
    for again. ``undelivered`` counts, by visit of a send whose failure ends the run (``visit_key``), its messages that
    are under way, for as long as none has left.
    ``hops`` events of our own led to the run, since ``hops_since`` (log time). ``passed`` has when the steps that some
    ``since`` names were last entered; ``gathered`` is what the ``collect`` at which the run stays has kept, by key;
    ``asked`` the id of the call whose answer it waits for.
    """

    run_id: str
    journey: str
    version: int
    key: str
    cause: str
    entered_at: int
    step: str
    step_at: int
    visits: dict[str, int]
    context: dict[str, Any]
    event: dict[str, Any]
    timers: tuple[Timer, ...] = ()
    sends: int = 0
    tried_at: int | None = None
    variants: dict[str, str] = {}
    marks: dict[str, int] = {}
    deferred: dict[str, int] = {}
    undelivered: dict[str, int] = {}
    hops: int = 0
    hops_since: int = 0
    passed: dict[str, int] = {}
    gathered: dict[str, dict[str, Any]] = {}
    asked: str = ""


class PendingCommand(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command that was decided at the step's ``visit`` and whose outcome is not known yet.

    ``contact`` is the key under which it was published, where that is another: before a handover. It may leave by any
    of ``channels``. ``topic`` is the one whose consent it needs; None: it needs none. One that is ``cancelled`` has an
    outcome all the same; it may have left before. ``places`` are the tags (``address_tag``) of the addresses of
    ``channels``, in their order.
    """

    command_id: str
    run_id: str
    journey: str
    version: int
    step: str
    contact: str = ""
    visit: int = 1
    channels: tuple[str, ...] = ()
    topic: str | None = None
    cancelled: bool = False
    places: tuple[int, ...] = ()


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A goal that was reached at ``at`` while nobody knew yet whether the message had left."""

    goal: str
    at: int
    value: float | None = None


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A send that a later goal may be credited to, until ``until``; ``credited`` are the goals already counted.

    ``variants`` are the ways that the run had taken at experiments that a goal decides; ``clicks`` the times of the
    contact's last clicks on it; ``claims`` wait for the message's outcome.
    """

    command_id: str
    run_id: str
    journey: str
    version: int
    step: str
    at: int
    until: int
    credited: tuple[str, ...] = ()
    variants: dict[str, str] = {}
    clicks: tuple[int, ...] = ()
    claims: tuple[Claim, ...] = ()


class Watch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the contact waits for outside of any run: at ``due`` the ``journey`` is entered.

    Either something must not happen before: ``since`` is when that began and ``event`` what began it, as templates see
    it. Or the answer of a threshold changes by itself. Or a time of the contact's clock comes: ``occurrence`` is its
    local date, of a schedule with time and offset. Or it is the contact's turn to enter (``ask_id``): ``cause`` is what
    it wanted to enter by, ``due`` its turn (NEVER: not known yet). ``hops`` are those of a run's: the chain goes on.
    """

    key: str
    journey: str
    due: int
    since: int
    event: dict[str, Any]
    cause: str = ""
    ask_id: str = ""
    occurrence: str = ""
    hops: int = 0
    hops_since: int = 0


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value of an aggregate, or of several events joined into one; ``at`` is the newest one's time.

    A threshold over the whole life keeps one sample of all.
    """

    at: int
    value: float


class Total(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What all values of an aggregate over the whole life come to; ``last`` is the newest, of the time ``last_at``."""

    count: int
    sum: float
    min: float
    max: float
    last: float
    last_at: int


class SentMark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A marketing message that counts for frequency caps."""

    command_id: str
    at: int
    journey: str
    channel: str
    topic: str | None = None


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of one message to the contact, as of ``at``; ``channel`` and ``reason`` where there is one.

    One that was not decided to leave has the id that it would have had.
    """

    command_id: str
    journey: str
    step: str
    status: MessageStatus
    at: int
    channel: str = ""
    reason: str = ""


class Passage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When a run ended whose journey does not let the contact in again before ``again_at`` (None: never)."""

    ended_at: int
    again_at: int | None = None


class Consent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the contact said about being sent to, and when."""

    granted: bool
    at: int


class Suppressed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An address of ``channel``, by its tag (``address_tag``), to which nothing is sent since ``at``, and why."""

    channel: str
    address: int
    reason: SuppressionReason
    at: int


class Trial(msgspec.Struct, frozen=True, array_like=True):
    """An experiment since ``began_at``: contacts and conversions by variant, and its ``winner`` once it is decided."""

    began_at: int
    contacts: dict[str, int] = {}
    conversions: dict[str, int] = {}
    winner: str = ""


class Coordination(msgspec.Struct, frozen=True, array_like=True):
    """What one journey has decided for all its contacts together.

    ``entries`` were granted so far, the last for the time ``turn_at``; ``trials`` are its experiments by step.
    """

    entries: int = 0
    turn_at: int = 0
    trials: dict[str, Trial] = {}


class Linked(msgspec.Struct, frozen=True, array_like=True):
    """An anonymous contact that was asked for what it knows, ``tries`` times.

    Until it has ``answered``, ``events`` are those that its runs have not seen, ``size`` bytes of them; with too many
    it has ``overflowed``. ``handover`` is what it answered, kept ``waits`` times so far: a run in it is of a version
    that is not known here yet.
    """

    tries: int = 0
    answered: bool = False
    events: tuple[Event, ...] = ()
    size: int = 0
    overflowed: bool = False
    handover: bytes | None = None
    waits: int = 0


class Forward(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The user ``to`` whom an anonymous contact was handed over.

    ``names`` are the ids of the runs that went along, and of what they had asked and not heard yet.
    """

    to: str
    names: tuple[str, ...] = ()


def visit_key(step: str, visit: int) -> str:
    """Return the key of a step's visit in ``Run.undelivered``."""
    return f"{step}#{visit}"


class ContactState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One contact.

    ``consent`` is by topic, or by ``topic/channel`` for what holds for one channel only. ``history`` holds the times of
    those events that a condition asks for, and no others. ``ids`` are the messageIds that are remembered, each with
    when it was applied and what it said (``applied_ids``, ``duplicates``). ``lately`` are the last events. ``sent`` are
    the messages that a frequency cap may count. ``passages`` has an entry for each journey and key that is closed to
    the contact for now;
    ``been`` are the journeys that it has ever been in, of those that some condition asks for. ``ended`` are the runs
    that ended by their own steps while a command of theirs is not settled: their exit rules still cancel it.
    ``watches`` and ``samples`` are what triggers by absence, inactivity, time and threshold keep; ``measures`` and
    ``totals`` what ``aggregate`` asks for, in a window and over the whole life. ``active_at`` is when the contact last
    did something on the site, if some condition asks (0: never). The row of a journey as a whole (key
    ``j:<journey id>``) has its ``coordination`` and none of the rest. ``links`` are the anonymous contacts that a user
    was seen with, by key; ``forward`` says to whom an anonymous contact was handed over. ``occurred`` are the last
    occurrences of each trigger by time: none comes twice. ``adopted`` is the number of the catalogue that the contact
    has adopted. ``audiences`` says of each that some journey asks for whether the contact is in it; ``entries``
    when it entered a journey last, of those that let it in a number of times only. ``messages`` are the last ones, the
    newest last: of no use to any decision. ``suppressed`` are the addresses to which nothing is sent any more.

    ``seen`` and ``recent`` are what older releases wrote for ``ids`` and ``lately`` (``older``): always empty here.
    """

    contact: str
    seq: int = 0
    traits: dict[str, Any] = {}
    consent: dict[str, Consent] = {}
    history: dict[str, tuple[int, ...]] = {}
    seen: dict[int, int] = {}
    runs: tuple[Run, ...] = ()
    pending: tuple[PendingCommand, ...] = ()
    touches: tuple[Touch, ...] = ()
    passages: dict[str, Passage] = {}
    recent: tuple[tuple[str, int], ...] = ()
    anonymous_id: str | None = None
    ended: tuple[Run, ...] = ()
    sent: tuple[SentMark, ...] = ()
    been: tuple[str, ...] = ()
    watches: dict[str, Watch] = {}
    samples: dict[str, tuple[Sample, ...]] = {}
    coordination: Coordination | None = None
    measures: dict[str, tuple[Sample, ...]] = {}
    totals: dict[str, Total] = {}
    active_at: int = 0
    links: dict[str, Linked] = {}
    forward: Forward | None = None
    adopted: int = 0
    occurred: dict[str, tuple[str, ...]] = {}
    audiences: dict[str, bool] = {}
    entries: dict[str, tuple[int, ...]] = {}
    messages: tuple[Message, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    ids: bytes = b""
    lately: Recent = Recent()

    @property
    def next_due(self) -> int:
        """The earliest timer's due time, or NEVER."""
        earliest = NEVER
        for run in self.runs:
            for timer in run.timers:
                earliest = min(earliest, timer.due)
        for watch in self.watches.values():
            earliest = min(earliest, watch.due)
        return earliest

    @property
    def armed_timers(self) -> int:
        """How many timers are pending."""
        return sum(len(run.timers) for run in self.runs) + len(self.watches)
