"""What is told of one contact to whoever asks: the answer of ``GET /v1/contacts/{id}``. Times are ms since the epoch.

The evaluator fills it in, ingest hands it on as it is (docs/contacts.md explains it to users).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

MessageStatus = Literal["deferred", "pending", "sent", "skipped", "failed", "ambiguous"]
"""Of a message: waits to be asked for again; decided and its end not known; and the ends (``OutcomeStatus``)."""


SuppressionReason = Literal["bounced", "complained", "unregistered", "invalid", "opted_out"]
"""Why nothing is sent to an address: it came back for good, or its owner called it spam; the rest: ``DeadAddress``."""


class Identifiers(msgspec.Struct, frozen=True):
    """``user_id`` None: the contact is anonymous. ``anonymous_ids`` are those that it was seen with, the last first."""

    user_id: str | None
    anonymous_ids: tuple[str, ...]


class ConsentStatement(msgspec.Struct, frozen=True):
    """The newest statement of consent, made ``at``."""

    status: Literal["granted", "revoked"]
    at: int


class RecentEvent(msgspec.Struct, frozen=True):
    """An event by its name, and when it happened."""

    event: str
    at: int


class ContactJourney(msgspec.Struct, frozen=True):
    """A journey that the contact is in. ``next_timer_at`` is when it goes on by itself; None: it waits for an event."""

    journey: str
    version: int
    run_id: str
    step: str
    entered_at: int
    next_timer_at: int | None


class ContactMessage(msgspec.Struct, frozen=True):
    """A message that was decided on. ``at`` is since when it has its ``status``.

    ``reason`` is a reason code (docs/reference/reasons.md) where there is one. ``channel`` None: no channel was chosen.
    """

    command_id: str
    journey: str
    step: str
    channel: str | None
    status: MessageStatus
    reason: str | None
    at: int


class SuppressedAddress(msgspec.Struct, frozen=True):
    """An address to which nothing is sent since ``at``. ``current``: it is the one that the contact has now."""

    channel: str
    reason: SuppressionReason
    current: bool
    at: int


class AsOf(msgspec.Struct, frozen=True):
    """What the answer reflects: every record of ``partition`` of ``events`` below ``offset``, and nothing later.

    ``log_time`` is the append time of the newest of them; ``caught_up`` says that there were no others then.
    """

    partition: int
    offset: int
    log_time: int
    caught_up: bool


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """One contact. Lists have the newest first.

    ``id`` is the userId, or the anonymousId of somebody who has none. ``consent`` is by topic, or by ``topic/channel``
    for what was said of one channel only.
    """

    id: str
    identifiers: Identifiers
    traits: dict[str, Any]
    consent: dict[str, ConsentStatement]
    recent_events: tuple[RecentEvent, ...]
    journeys: tuple[ContactJourney, ...]
    messages: tuple[ContactMessage, ...]
    as_of: AsOf
    suppressed: tuple[SuppressedAddress, ...]
