"""What a send may do, as data: consent, caps, quiet hours, windows. Durations are milliseconds."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.predicate import Channel
from shared.messages.command import OnAmbiguous, Purpose, Utm

WhenClosed = Literal["defer", "skip", "exit"]


class Holdout(msgspec.Struct, frozen=True):
    """The ``percent`` of contacts that get no message, so that what the journey brings can be measured."""

    percent: float
    salt: str


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``max`` messages in any ``per`` ms (rolling; one exactly ``per`` old no longer counts).

    Counted over all marketing journeys of the contact, or (``scope``) this journey; of ``channel`` and ``topic`` only,
    where they are given.
    """

    max: int
    per: int
    scope: Literal["contact", "journey"] = "contact"
    channel: Channel | None = None
    topic: str | None = None
    when_capped: Literal["skip", "defer", "exit", "next_channel"] = "skip"
    max_defer: int | None = None


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """No messages from ``start`` to ``end`` (``HH:MM``, local). What is deferred leaves at the end, over ``spread``."""

    start: str
    end: str
    timezone: str = "contact"
    fallback_timezone: str | None = None
    when_quiet: WhenClosed = "defer"
    max_defer: int | None = None
    spread: int = 0


class SendWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Messages leave only from ``start`` to ``end`` (``HH:MM``, local) on ``days`` (0: Monday)."""

    start: str
    end: str
    days: tuple[int, ...] = ()
    timezone: str = "contact"
    when_outside: WhenClosed = "defer"
    max_defer: int | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a send may do. Marketing needs consent for ``topic``; transactional needs none and ignores the rest."""

    purpose: Purpose = "marketing"
    topic: str | None = None
    max_sends: int | None = None
    on_ambiguous: OnAmbiguous | None = None
    holdout: Holdout | None = None
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietHours | None = None
    send_window: SendWindow | None = None
    tracking: Literal["all", "with_text", "none"] = "all"
    utm: Utm | None = None
