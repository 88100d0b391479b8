"""Ends the process when there is work and none of it gets done, whatever it waits for: to Kubernetes it looks alive.

Two things are watched. *Work*: every look asks what has work to do and what has become of it. *The event loop*: a
thread of its own sees whether it turns at all, for a loop that stands could not look.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from services.evaluator.partitions import fatal
from shared.clock import SECOND, Clock, monotonic_clock
from shared.errors import KikkakeError
from shared.log import LogReader, LogRecord, LogUnavailableError
from shared.messages.topics import TopicName

_LOOKS = 10
"""Looks in the time after which we end: it is over by a tenth at most."""

Work = Mapping[str, str]
"""What has work to do, by name: with how far it has come, which changes whenever some of it is done."""


class StalledError(KikkakeError):
    """There was work to do and none of it was done for too long."""


class Stalls:
    """How long what has work has stood still."""

    def __init__(self, limit: int) -> None:
        """``limit`` in ms."""
        self._limit = limit
        self._stood: dict[str, tuple[str, int]] = {}

    def look(self, work: Work, elapsed: int) -> str | None:
        """Return the name of what has stood still for ``limit``, ``elapsed`` ms after the last look; None: nothing.

        What has no work any more, or has moved, begins anew.
        """
        stood: dict[str, tuple[str, int]] = {}
        for name, mark in work.items():
            former = self._stood.get(name)
            stood[name] = mark, 0 if former is None or former[0] != mark else former[1] + elapsed
        self._stood = stood
        return next((f"{name} ({mark})" for name, (mark, ms) in stood.items() if ms >= self._limit), None)


class CountingReader:
    """A ``LogReader`` that counts what it has read: a restore that moves on."""

    def __init__(self, reader: LogReader) -> None:
        """Read by ``reader``."""
        self.records = 0
        self._reader = reader

    async def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the partition's next record will get."""
        return await self._reader.end(topic, partition)

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return at most ``limit`` records from ``offset`` on."""
        return await self._reader.read(topic, partition, offset, limit)

    async def read_all(
        self, topic: TopicName, partition: int, from_offset: int = 0
    ) -> AsyncGenerator[list[LogRecord], None]:
        """Yield the records from ``from_offset`` up to the end, in batches."""
        async with contextlib.aclosing(self._reader.read_all(topic, partition, from_offset)) as batches:
            async for batch in batches:
                self.records += len(batch)
                yield batch


class Watchdog:
    """Looks every tenth of ``limit`` seconds; whoever ended this process starts it again from the log."""

    def __init__(
        self,
        limit: float,
        work: Callable[[], Awaitable[Work]],
        *,
        end: Callable[[BaseException], object] = fatal,
        clock: Clock = monotonic_clock,
    ) -> None:
        """``work`` raises LogUnavailableError while no broker answers: then nothing can move, and no time counts.

        Nor does any while it takes longer than ``limit`` to say so.
        """
        self._limit = limit
        self._every = limit / _LOOKS
        self._work = work
        self._end = end
        self._clock = clock
        self._turns = 0
        self._over = threading.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        guard = threading.Thread(target=self._guard, name="watchdog", daemon=True)
        guard.start()
        turning = asyncio.create_task(self._turn())
        try:
            await self._look()
        finally:
            self._over.set()
            turning.cancel()

    async def _look(self) -> None:
        stalls = Stalls(int(self._limit * SECOND))
        seen = self._clock()
        while True:
            await asyncio.sleep(self._every)
            try:
                # Asking must not last for ever: who looks no more would never end anything.
                async with asyncio.timeout(self._limit):
                    work = await self._work()
            except (LogUnavailableError, TimeoutError):
                work = {}
            now = self._clock()
            # A process that was paused (SIGSTOP) had no time to do anything in.
            elapsed, seen = min(now - seen, int(2 * self._every * SECOND)), now
            stalled = stalls.look(work, elapsed)
            if stalled is not None:
                self._end(self._error(f"{stalled} has had work to do"))

    async def _turn(self) -> None:
        while True:
            self._turns += 1
            await asyncio.sleep(self._every)

    def _guard(self) -> None:
        seen, stood = -1, 0.0
        while not self._over.wait(self._every):
            stood = stood + self._every if self._turns == seen else 0.0
            seen = self._turns
            if stood >= self._limit:
                faulthandler.dump_traceback()
                self._end(self._error("the event loop has been in one piece of work, whose stack is above,"))
                return

    def _error(self, what: str) -> StalledError:
        return StalledError(
            f"{what} for {self._limit:g} s and none of it was done, although Kafka answers. The process ends, to be"
            " started again; if it comes to this once more, see what it said before this and whether Kafka takes writes"
            " (min.insync.replicas). KIKKAKE_WATCHDOG_TIMEOUT is this patience."
        )
