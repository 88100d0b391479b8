"""How many at once a provider is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

P = TypeVar("P")


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
