"""What every provider promises: one message in, a receipt or one kind of error out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from shared.messages.command import Purpose


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with a message; one with a ``cid`` is an image that the page shows as ``cid:...``."""

    name: str
    type: str
    content: bytes
    cid: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One rendered message. ``at`` is journey time and becomes its date; ``headers`` are extra ones (unsubscribe).

    ``topic`` is what its receiver has agreed to. ``reference`` is an opaque text that the provider's feedback brings
    back, where it can carry one: it says to us, and to nobody else, whose message this was, in A-Z, a-z, 0-9, _ and -.
    From ``expires_at`` (journey time) on it is not worth showing any more.
    """

    command_id: str
    address: str
    parts: Mapping[str, str]
    at: int
    headers: tuple[tuple[str, str], ...] = ()
    purpose: Purpose = "marketing"
    journey: str = ""
    step: str = ""
    reference: str | None = None
    attachments: tuple[Attachment, ...] = ()
    expires_at: int | None = None
    topic: str | None = None

    def seconds_left(self, longest: int) -> int:
        """Return for how many seconds it may wait for its device, ``longest`` at most."""
        return longest if self.expires_at is None else max(0, min(longest, (self.expires_at - self.at) // 1000))


class Receipt(msgspec.Struct, frozen=True):
    """The provider took the message: what it calls it, and what it said, without personal data."""

    provider_id: str | None = None
    detail: str | None = None


class Provider(Protocol):
    """One way to reach a contact. Implementations hold their connections and are used by many tasks at once."""

    id: str
    """Its name in ``providers.yaml``: what metrics, logs, rate limits and ``sending`` rows call it."""
    idempotent: bool
    """It drops a repeat of the same command id: a message whose answer was lost is sent again, to it alone."""

    def takes(self, address: str) -> bool:
        """Return whether ``address`` is of its kind (an APNs token is none of FCM's). Decides by form alone."""

    async def send(self, message: Message) -> Receipt:
        """Hand ``message`` over and return the receipt.

        Raises TemporaryError, RefusedError or AmbiguousError, in bounded time. If this runs twice, the contact gets
        the message twice unless the provider is ``idempotent``: calling it once is the ledger's job.
        """

    async def close(self) -> None:
        """Let go of all connections. Running it twice is harmless."""
