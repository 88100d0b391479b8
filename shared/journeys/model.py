"""A journey as data: frozen tagged unions, no behaviour.

Each union (``Trigger``, ``Condition``, ``ExitRule``, ``Step``) grows by a class, a parser row (``parse``) and a
function in the evaluator's core; mypy's ``assert_never`` finds every place that forgot it. Durations are milliseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.messages.command import OnAmbiguous, Purpose

Channel = Literal["email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack"]


class Path(msgspec.Struct, frozen=True, tag="path"):
    """An expression that reads one value, such as ``event.properties.cart_id``; what is missing is null."""

    root: Literal["contact", "event", "context"]
    keys: tuple[str, ...]

    def __str__(self) -> str:
        """Return the expression's text."""
        return ".".join((self.root, *self.keys))


class All(msgspec.Struct, frozen=True, tag="all"):
    """True when every part is."""

    of: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True, tag="any"):
    """True when at least one part is."""

    of: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """True when its part is false."""

    of: Condition


class Performed(msgspec.Struct, frozen=True, tag="performed"):
    """The contact did ``event`` at least ``count`` times in the last ``within`` ms, the present event included."""

    event: str
    within: int
    count: int = 1


class Reachable(msgspec.Struct, frozen=True, tag="reachable"):
    """The contact has an address for at least one of the channels."""

    channels: tuple[Channel, ...]


Condition = All | Any | Not | Performed | Reachable


class EventTrigger(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A behavioural event starts a run. One that happened more than ``max_age`` ago never does."""

    event: str
    where: Condition | None = None
    max_age: int | None = None


Trigger = EventTrigger


class Reentry(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a contact may enter again, and how long after the last entry ended (``cooldown``)."""

    mode: Literal["never", "after_exit"] = "after_exit"
    cooldown: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold for a trigger to start a run. ``key`` None: one run per contact; else one per its value."""

    where: Condition | None = None
    key: Path | None = None
    on_retrigger: Literal["ignore", "restart", "update_context"] = "ignore"
    reentry: Reentry = Reentry()
    priority: int = 50


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What the journey is for: ``event`` within ``window`` of a send is a conversion. It ends no run."""

    id: str
    event: str
    window: int
    primary: bool = False
    where: Condition | None = None
    attribution: Literal["last_send"] = "last_send"
    value: Path | None = None


class ExitOnEvent(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """The run ends the moment ``event`` is applied."""

    reason: str
    event: str
    where: Condition | None = None


class ExitAfter(msgspec.Struct, frozen=True, kw_only=True, tag="after"):
    """The run ends ``after`` ms after it was entered."""

    reason: str
    after: int


ExitRule = ExitOnEvent | ExitAfter


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a send may do. Marketing needs consent for ``topic``; transactional needs none."""

    purpose: Purpose = "marketing"
    topic: str | None = None
    max_sends: int | None = None
    on_ambiguous: OnAmbiguous | None = None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Texts in Liquid: ``locales[locale][channel][part]``. An inline template has the one locale ``default``."""

    id: str
    locales: dict[str, dict[str, dict[str, str]]]


class Wait(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Stay for ``duration``; each of the events in ``reset_by`` starts it anew."""

    id: str
    duration: int
    reset_by: tuple[str, ...] = ()


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """Send one message by the first of ``channels`` that reaches the contact; worthless ``expires`` ms later."""

    id: str
    channels: tuple[Channel, ...]
    template: Template
    mode: Literal["first_reachable"] = "first_reachable"
    expires: int | None = None


class Exit(msgspec.Struct, frozen=True, kw_only=True, tag="exit"):
    """The run ends here."""

    id: str
    reason: str


Step = Wait | Send | Exit


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
    context: dict[str, Path] = {}
    goals: tuple[Goal, ...] = ()
    exits: tuple[ExitRule, ...] = ()
    policy: Policy = Policy()
