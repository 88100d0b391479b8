"""A journey as data: frozen tagged unions, no behaviour.

Each union (``Trigger``, ``Condition``, ``ExitRule``, ``Step``) grows by a class, a parser row and a case in the
evaluator's core; mypy's ``assert_never`` finds every place that forgot it. Durations are milliseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.predicate import Channel, Condition, Expression
from shared.journeys.promises import InFlight, Invariant
from shared.journeys.sending import Policy

Literals = str | int | float | bool | None


class EventTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A behavioural event starts a run. One that happened more than ``max_age`` ago never does."""

    event: str
    where: Condition | None = None
    max_age: int | None = None


class Target(msgspec.Struct, frozen=True):
    """A comparison with a number, such as ``>= 3``."""

    operator: Literal[">", ">=", "<", "<=", "=="]
    number: float


class ThresholdTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="threshold"):
    """The event that makes an aggregate of ``event`` meet ``target`` starts a run; it must fall below to start another.

    ``within`` None: over the contact's whole life. ``field`` is what is summed or told apart; ``group_by`` keeps one
    aggregate per value.
    """

    aggregate: Literal["count", "sum", "distinct"]
    event: str
    target: Target
    field: Expression | None = None
    within: int | None = None
    group_by: Expression | None = None
    where: Condition | None = None


class InactivityTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="inactivity"):
    """A run starts when none of ``events`` has happened for ``duration``; each one starts the time anew.

    ``start``: the time runs from the first of these events, or from the first sight of the contact.
    """

    events: tuple[str, ...]
    duration: int
    where: Condition | None = None
    start: Literal["first_event", "first_seen"] = "first_event"


class AbsenceTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="absence"):
    """A run starts when ``missing`` did not follow ``after`` within ``within``, for the same values of ``match``."""

    after: str
    missing: str
    within: int
    match: tuple[str, ...] = ()
    where: Condition | None = None


Trigger = EventTrigger | ThresholdTrigger | InactivityTrigger | AbsenceTrigger


class Reentry(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a contact may enter again, and how long after the last run ended (``cooldown``).

    ``never``: once per contact (or key); ``after_exit``: not while inside; ``always``: also while inside.
    """

    mode: Literal["never", "after_exit", "always"] = "after_exit"
    cooldown: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold for a trigger to start a run. ``key`` None: one run per contact; else one per value."""

    where: Condition | None = None
    key: Expression | None = None
    on_retrigger: Literal["ignore", "restart", "update_context"] = "ignore"
    reentry: Reentry = Reentry()
    priority: int = 50


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What the journey is for: ``event`` within ``window`` of a send counts as converted. It ends no run by itself."""

    id: str
    event: str
    window: int
    primary: bool = False
    where: Condition | None = None
    attribution: Literal["last_send"] = "last_send"
    value: Expression | None = None


class ExitOnEvent(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """The run ends the moment ``event`` is applied."""

    reason: str
    event: str
    where: Condition | None = None


class ExitIf(msgspec.Struct, frozen=True, kw_only=True, tag="if"):
    """The run ends at the first event of the contact at which ``condition`` holds."""

    reason: str
    condition: Condition


class ExitAfter(msgspec.Struct, frozen=True, kw_only=True, tag="after"):
    """The run ends ``after`` ms after it was entered."""

    reason: str
    after: int


ExitRule = ExitOnEvent | ExitIf | ExitAfter


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Texts in Liquid: ``locales[locale][channel][part]``. An inline template has the one locale ``default``."""

    id: str
    locales: dict[str, dict[str, dict[str, str]]]


class Until(msgspec.Struct, frozen=True, kw_only=True):
    """A local time to wait for.

    ``time`` (``HH:MM``) on one of ``days``; or on ``date``; or on the date in the trait ``property``, ``offset_days``
    from it, each year (``match: anniversary``) or that day (``exact``). ``latest`` ms from now is the longest wait.
    """

    time: str = "00:00"
    days: tuple[int, ...] = ()
    date: str | None = None
    property: str | None = None
    match: Literal["anniversary", "exact"] = "exact"
    offset_days: int = 0
    latest: int | None = None
    timezone: str = "contact"


class Wait(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Stay for ``duration`` (ms), for the calendar ``span`` (``P1M``) or until a local time.

    Each of the events in ``reset_by`` starts it anew. ``jitter`` spreads runs over as many ms, each always the same.
    ``past``: what to do when the date to wait for is over already.
    """

    id: str
    duration: int | None = None
    span: str | None = None
    until: Until | None = None
    reset_by: tuple[str, ...] = ()
    jitter: int = 0
    past: Literal["continue", "exit"] = "continue"


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a ``wait_for`` waits for: an ``event`` (with ``where``) or a ``condition``; then ``then``."""

    id: str
    event: str | None = None
    where: Condition | None = None
    condition: Condition | None = None
    then: tuple[Step, ...] = ()


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag="wait_for"):
    """Stay until the first of ``any`` happens, at most ``timeout`` ms (None: for ever), then go on in its steps."""

    id: str
    any: tuple[Awaited, ...]
    timeout: int | None = None
    timeout_then: tuple[Step, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One way of a branch; ``condition`` None: else."""

    condition: Condition | None
    then: tuple[Step, ...]


class Branch(msgspec.Struct, frozen=True, kw_only=True, tag="branch"):
    """Go the first way whose condition holds; none: go on behind."""

    id: str
    cases: tuple[Case, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way of an experiment; its share is its ``weight`` among all."""

    id: str
    weight: int
    then: tuple[Step, ...] = ()


class Experiment(msgspec.Struct, frozen=True, kw_only=True, tag="experiment"):
    """Go the way that a hash of the contact and ``salt`` picks: always the same one."""

    id: str
    salt: str
    variants: tuple[Variant, ...]


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """Send one message by the first of ``channels`` that reaches the contact; worthless ``expires`` ms later."""

    id: str
    channels: tuple[Channel, ...]
    template: Template
    mode: Literal["first_reachable"] = "first_reachable"
    expires: int | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Change what is known of the contact: traits, tags, consent."""

    id: str
    set: dict[str, Literals | Expression] = {}
    increment: dict[str, float] = {}
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()


class Emit(msgspec.Struct, frozen=True, kw_only=True, tag="emit"):
    """Let an event of our own happen to the contact; it triggers journeys as any other does."""

    id: str
    event: str
    properties: dict[str, Literals | Expression] = {}


class Goto(msgspec.Struct, frozen=True, kw_only=True, tag="goto"):
    """Go on at ``step``; once that was entered ``max_visits`` times, go on behind instead."""

    id: str
    step: str
    max_visits: int | None = None


class Exit(msgspec.Struct, frozen=True, kw_only=True, tag="exit"):
    """The run ends here."""

    id: str
    reason: str


Step = Wait | WaitFor | Branch | Experiment | Send | Update | Emit | Goto | Exit


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable definition: ``id`` and ``version``. Whether it is live is not its business."""

    id: str
    version: int
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    name: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    entry: Entry = Entry()
    context: dict[str, Expression] = {}
    goals: tuple[Goal, ...] = ()
    exits: tuple[ExitRule, ...] = ()
    policy: Policy = Policy()
    in_flight: InFlight = InFlight()
    invariants: tuple[Invariant, ...] = ()


def blocks(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Return the blocks of steps inside ``step``, in the order of the file."""
    match step:
        case WaitFor():
            return (*(awaited.then for awaited in step.any), step.timeout_then)
        case Branch():
            return tuple(case.then for case in step.cases)
        case Experiment():
            return tuple(variant.then for variant in step.variants)
        case _:
            return ()


def all_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return every step of ``steps`` and of the blocks inside them, in the order of the file."""
    found: list[Step] = []
    for step in steps:
        found.append(step)
        for block in blocks(step):
            found.extend(all_steps(block))
    return tuple(found)
