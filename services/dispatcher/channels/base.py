"""What every channel promises: one message in, a receipt or one of three kinds of error out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from shared.errors import KikkakeError, PermanentError, RetryableError


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


class TemporaryError(RetryableError):
    """The provider refused this message for now and does not have it."""

    refused = True

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class UnavailableError(TemporaryError):
    """The provider could not be asked: nobody there, the connection lost in time, or it wants no client at all."""

    refused = False


class RefusedError(PermanentError):
    """The provider will never take this message for this address."""


class AmbiguousError(KikkakeError):
    """The provider may or may not have the message: it was handed over whole and the answer was lost."""


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


class Lane:
    """A channel with its number of hands: a provider that hangs fills its own lane and nobody else's."""

    def __init__(self, channel: Channel, width: int) -> None:
        self.channel = channel
        self._slots = asyncio.Semaphore(width)

    @asynccontextmanager
    async def slot(self, patience: float) -> AsyncIterator[bool]:
        """Hold one slot for the block; gives False, and holds none, if none came free within ``patience`` seconds."""
        if not self._slots.locked():
            await self._slots.acquire()
        else:
            try:
                await asyncio.wait_for(self._slots.acquire(), patience)
            except TimeoutError:
                yield False
                return
        try:
            yield True
        finally:
            self._slots.release()
