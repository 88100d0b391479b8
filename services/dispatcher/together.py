"""Calls that are made in one turn of the event loop become one: what each costs beside its records is paid once.

What waits for the same acknowledgement goes on in the same turn, so under load most calls have company.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import RetryableError

T = TypeVar("T")
R = TypeVar("R")
_Added = tuple[Sequence[T], asyncio.Future[Sequence[R]]]


class Together(Generic[T, R]):
    """Hands what was added to ``carry``, which returns a result for each item, in their order."""

    def __init__(self, carry: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._carry = carry
        self._waiting: list[_Added[T, R]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, items: Sequence[T]) -> Sequence[R]:
        """Return the results of ``items`` once they were carried.

        Raises what ``carry`` raises. Unless it is a RetryableError, which tells of the way and not of the load, the
        others are carried again, each call by itself: nobody fails because of its company. Who stops waiting has
        called nothing back.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[R]] = loop.create_future()
        self._waiting.append((items, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._start)
        return await answer

    def _start(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.create_task(self._carry_all(waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_all(self, waiting: Sequence[_Added[T, R]]) -> None:
        try:
            found = await self._carry([item for items, _ in waiting for item in items])
        except asyncio.CancelledError:
            for _, answer in waiting:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, everyone who waits must hear of it
            if len(waiting) > 1 and not isinstance(error, RetryableError):
                await asyncio.gather(*[self._carry_all([one]) for one in waiting])
                return
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(copy.copy(error))
            return
        first = 0
        for items, answer in waiting:
            if not answer.done():
                answer.set_result(found[first : first + len(items)])
            first += len(items)
