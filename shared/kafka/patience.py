"""How long answers are waited for: all of them equally long, with one timer for whichever began first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Answered = Callable[[Exception | None], None]
"""Told once how what was waited for has ended: None, or what went wrong."""


class Waiter:
    """One who waits."""

    __slots__ = ("_answered", "deadline")

    def __init__(self, answered: Answered, deadline: float) -> None:
        self._answered: Answered | None = answered
        self.deadline = deadline

    @property
    def waits(self) -> bool:
        """Whether nothing has been told yet."""
        return self._answered is not None

    def end(self, error: Exception | None) -> None:
        """Tell, unless something was told before: whoever has given up hears no more of it."""
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(error)


class Patience:
    """Ends each waiter with ``late()`` after so many ``seconds``. A timer for each would take a µs more of a write."""

    def __init__(self, seconds: float, late: Callable[[], Exception]) -> None:
        self._seconds = seconds
        self._late = late
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: deque[Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, answered: Answered) -> Waiter:
        """Return a waiter from now on."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        waiters = self._waiters
        while waiters and not waiters[0].waits:
            waiters.popleft()
        waiter = Waiter(answered, loop.time() + self._seconds)
        waiters.append(waiter)
        if self._timer is None:
            self._timer = loop.call_at(waiter.deadline, self._look, loop)
        return waiter

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give up whoever is due, and come again when the next one is."""
        waiters, now = self._waiters, loop.time()
        while waiters and (not waiters[0].waits or waiters[0].deadline <= now):
            waiters.popleft().end(self._late())
        self._timer = loop.call_at(waiters[0].deadline, self._look, loop) if waiters else None
