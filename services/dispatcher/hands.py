"""So many at once, and the urgent first."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class Hands:
    """A semaphore of ``free`` hands with a line before it."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._waiting: list[tuple[bool, int, asyncio.Future[bool]]] = []
        self._numbers = itertools.count()

    async def take(self, patience: float, *, urgent: bool = False) -> bool:
        """Take a hand; False, and none is taken: not within ``patience`` seconds, or turned away."""
        if self.free:
            self.free -= 1
            return True
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (not urgent, next(self._numbers), future))
        try:
            async with asyncio.timeout(patience):
                return await future
        except TimeoutError:
            # It may have been given in the very moment in which we stopped waiting.
            return future.done() and not future.cancelled() and future.result()
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.result():
                self.give()
            raise
        finally:
            future.cancel()

    def give(self) -> None:
        """Give a hand back: the first in line gets it."""
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                return future.set_result(True)
        self.free += 1
        return None

    def turn_away(self) -> None:
        """Let nobody wait in line any more."""
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_result(False)
