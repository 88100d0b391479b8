"""What every channel promises: one message in, a receipt or one of three kinds of error out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One rendered message. ``at`` is journey time and becomes its date; ``headers`` are extra ones (unsubscribe)."""

    command_id: str
    address: str
    parts: Mapping[str, str]
    at: int
    headers: tuple[tuple[str, str], ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """The provider took the message: what it calls it, and what it said, without personal data."""

    provider_id: str | None = None
    detail: str | None = None


class Channel(Protocol):
    """One way to reach a contact. Implementations hold their connections and are used by many tasks at once."""

    name: str
    idempotent: bool
    """The provider drops a repeat of the same command id: then nothing is ever ambiguous for long."""

    async def send(self, message: Message) -> Receipt:
        """Hand ``message`` over and return the receipt.

        Raises TemporaryError, RefusedError or AmbiguousError, in bounded time. If this runs twice, the contact gets
        the message twice unless the channel is ``idempotent``: calling it once is the ledger's job.
        """

    async def close(self) -> None:
        """Let go of all connections. Running it twice is harmless."""
