"""The records of the ``events`` topic: what a contact did, and what the engine says to itself."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shared.clock import DAY
from shared.messages.answer import Answer
from shared.messages.coordination import Ask, Conversion, Reply
from shared.messages.enrolment import Enrolment
from shared.messages.identity import Handover, Link
from shared.messages.journeys import OrderKind
from shared.messages.outcome import Outcome

LATE = DAY
"""ms between an event and its arrival from which on it is late."""
HOPS, HOPS_SINCE = "kikkake_hops", "kikkake_hops_since"
"""In the context of an event of our own: how many led to it, and since when. No sender's event has them."""

EventType = Literal["identify", "track", "page", "screen", "group", "alias", "consent"]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind", tag="event"):
    """Something a contact did, as accepted by ingest. Never changed afterwards.

    ``timestamp`` is when it happened by the server's clock (the client's clock corrected by ``sentAt``);
    ``received_at`` is when ingest took it. ``name`` is the event's name: the track call's ``event``, and for the other
    types a fixed one (``Page Viewed``, ``Screen Viewed``, ``Identified``, ...) under which journeys can ask for it.
    ``traits_once`` are set where the contact has none of the name; ``traits`` in any case.
    ``historical``: it is history that somebody imports; it is known from then on, and no journey starts by it.
    """

    message_id: str
    type: EventType
    name: str
    timestamp: int
    received_at: int
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    properties: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    context: dict[str, Any] = {}
    traits_once: dict[str, Any] = {}
    historical: bool = False

    @property
    def late(self) -> bool:
        """Whether it reached us more than a day after it happened."""
        return self.received_at - self.timestamp > LATE


class Anonymised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="anonymised"):
    """That something happened, without who did it: what is left of an event without consent to tracking.

    Stands under a random key and is applied to nobody; it is there for whoever counts events. ``hour`` is the full hour
    in which it happened.
    """

    id: str
    name: str
    hour: int
    properties: dict[str, Any] = {}


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="tick"):
    """Nothing but its append time: it moves the partition's log time on, so that due timers fire.

    Harmless from anyone and any number of times; its order among the events is what makes a replay exact.
    """

    partition: int


class Marker(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="marker"):
    """An order on a journey (publish, drain, stop) at its place in this partition's log.

    ``number`` is the order's change number in the ``journeys`` topic; a repeat of a number is a no-op.
    """

    number: int
    order: OrderKind
    journey: str
    version: int
    at: int
    by: str = ""


EventRecord = (
    Event | Outcome | Answer | Enrolment | Ask | Conversion | Reply | Link | Handover | Tick | Marker | Anonymised
)
