"""Conditions as data. Durations are milliseconds."""

from __future__ import annotations

from typing import Literal

import msgspec

Channel = Literal["email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack"]


class Expression(msgspec.Struct, frozen=True, tag="expression"):
    """A CEL expression (``shared/expressions``), such as ``event.properties.total > 100``; what is missing is null."""

    text: str


class Target(msgspec.Struct, frozen=True):
    """A comparison with a number, such as ``>= 3``."""

    operator: Literal[">", ">=", "<", "<=", "=="]
    number: float


class All(msgspec.Struct, frozen=True, tag="all"):
    """True when every part is."""

    of: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True, tag="any"):
    """True when at least one part is."""

    of: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """True when its part is false."""

    of: Condition


class Performed(msgspec.Struct, frozen=True, kw_only=True, tag="performed"):
    """The contact did ``event`` at least ``count`` times, the present event included.

    ``within`` ms before now, or (None) since the run was entered. ``where`` is asked of each event when it happens.
    """

    event: str
    within: int | None = None
    count: int = 1
    where: Condition | None = None


class Reachable(msgspec.Struct, frozen=True, tag="reachable"):
    """The contact has an address for at least one of the channels."""

    channels: tuple[Channel, ...]


class Consented(msgspec.Struct, frozen=True, tag="consent"):
    """The contact's newest statement on ``topic`` (for ``channel``, or for all) is a grant."""

    topic: str
    channel: Channel | None = None


class TimeIs(msgspec.Struct, frozen=True, kw_only=True, tag="time"):
    """The local time lies from ``start`` to before ``end`` (``HH:MM``), on one of ``days`` (0: Monday)."""

    start: str = "00:00"
    end: str = "00:00"
    days: tuple[int, ...] = ()
    timezone: str = "contact"


class Bucket(msgspec.Struct, frozen=True, tag="bucket"):
    """The contact is among the ``percent`` that a hash of it and ``salt`` picks: always the same ones."""

    percent: float
    salt: str


class InJourney(msgspec.Struct, frozen=True, kw_only=True, tag="in_journey"):
    """The contact is inside journey ``id`` now (``active``), or has been at any time (``ever``)."""

    id: str
    state: Literal["active", "ever"] = "active"


class Aggregate(msgspec.Struct, frozen=True, kw_only=True, tag="aggregate"):
    """``fn`` over the values of ``field`` in the contact's ``event``s meets ``target``; the present event counts.

    ``within`` ms before now, or (None) ever. ``where`` is asked of each event when it happens. Of no events ``count``,
    ``sum`` and ``distinct`` are 0, and the others meet nothing.
    """

    event: str
    fn: Literal["count", "sum", "distinct", "avg", "min", "max", "last"]
    target: Target
    field: Expression | None = None
    within: int | None = None
    where: Condition | None = None


class InAudience(msgspec.Struct, frozen=True, tag="in_audience"):
    """The contact is in the audience now."""

    id: str


class MessageWas(msgspec.Struct, frozen=True, kw_only=True, tag="message"):
    """What became of the message that the run sent at ``step``: within ``within`` ms before now, or (None) so far."""

    step: str
    was: Literal["sent", "delivered", "opened", "clicked", "bounced", "converted"]
    within: int | None = None


class Online(msgspec.Struct, frozen=True, tag="online"):
    """The contact did something on the site or in the app within ``within`` ms before now."""

    within: int


Condition = (
    All
    | Any
    | Not
    | Expression
    | Performed
    | Aggregate
    | Reachable
    | Consented
    | TimeIs
    | Bucket
    | InJourney
    | InAudience
    | MessageWas
    | Online
)
