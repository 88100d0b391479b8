"""How many at once a provider is asked, and the kinds of error with which it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from shared.errors import KikkakeError, PermanentError, RetryableError

P = TypeVar("P")


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


class Lane(Generic[P]):
    """A provider (a channel, a connector) with its number of hands: one that hangs fills its own lane only."""

    def __init__(self, provider: P, width: int) -> None:
        self.provider = provider
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
