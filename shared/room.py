"""A bound in bytes for what is under way: whoever wants to add waits for room."""

from __future__ import annotations

import asyncio


class Room:
    """``size`` bytes. First come, first served; what is larger than all of it gets in alone."""

    def __init__(self, size: int) -> None:
        """Nothing is taken."""
        self.taken = 0
        self._size = size
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    def take_now(self, amount: int) -> bool:
        """Take ``amount`` bytes if there is room and nobody waits for it; tell whether they were taken."""
        if self._turn.locked() or (self.taken and self.taken + amount > self._size):
            return False
        self.taken += amount
        return True

    async def take(self, amount: int) -> None:
        """Return once ``amount`` bytes are taken. Cancelled while it waits, it has taken nothing."""
        async with self._turn:
            while self.taken and self.taken + amount > self._size:
                self._freed.clear()
                await self._freed.wait()
            self.taken += amount

    def give(self, amount: int) -> None:
        """Give ``amount`` bytes back."""
        self.taken -= amount
        self._freed.set()
