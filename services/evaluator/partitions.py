"""What the evaluator is given by its transport: batches of partitions, one lane each. Knows neither Faust nor Kafka."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, Protocol

import msgspec
import structlog

from services.evaluator.lease import Lease
from shared.log import LogRecord

log = structlog.get_logger(__name__)

EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h: an error of ours, not of how we were called

_WAITING_BATCHES = 2  # one in work and one behind it, so that a lane need not idle between two fetches; small ones more
_LEASE_RETRY = 0.05  # s


class Batch(msgspec.Struct, frozen=True):
    """What one fetch brought of one partition, in order. ``highwater``: the partition's end as the broker gave it."""

    partition: int
    records: Sequence[LogRecord]
    highwater: int


class PartitionHandler(Protocol):
    """What the evaluator does with its partitions. All calls come from one event loop.

    Any exception ends the process (``EXIT_FATAL``): nothing is ever skipped.
    """

    async def assigned(
        self, partitions: frozenset[int], kept: frozenset[int], standbys: frozenset[int]
    ) -> Mapping[int, int | None]:
        """Restore what is needed and return where to begin: an offset each, or None for the group's committed one.

        ``partitions`` is everything that we own now, perhaps nothing; no batch comes before this returns. ``kept`` are
        those of them that nobody else can have owned since this returned last: what is in memory of any other
        partition is void, for not every assignment comes here. ``standbys`` are partitions of others that the group
        would rather give to us than to another when their owner is gone. Cancelled when the group rebalances again
        meanwhile; it is then called anew.
        """
        ...

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Finish or abandon what is in flight: after this another worker may own these, so nothing more is sent.

        The batch in work, if any, has ended before this is called. Every rebalance revokes all partitions first.
        """
        ...

    async def batch(self, batch: Batch) -> None:
        """Process one batch; when this returns, its offsets may be committed.

        Batches of one partition come one at a time and in order, those of different partitions side by side.
        """
        ...


class Lane:
    """One partition's batches during one assignment, handed to the handler one after another.

    What has come while one is in work is handed over as one: at low load a fetch brings a record or two, and each would
    wait for the way to the log and back of all before it.
    """

    def __init__(self, handler: PartitionHandler, lease: Lease, on_room: Callable[[], None], limit: int) -> None:
        """``limit``: the most records of one batch, also of one that was put together."""
        self._handler = handler
        self._lease = lease
        self._on_room = on_room
        self._limit = limit
        self._batches: deque[tuple[Batch, Callable[[], object]]] = deque()
        self._stirred = asyncio.Event()
        self._reserved = 0
        self._records = 0
        self._closed = False
        self._task = asyncio.create_task(self._work())

    @property
    def has_room(self) -> bool:
        """Whether another batch may be fetched; counts from ``reserve`` to the end of its work."""
        return self._reserved < _WAITING_BATCHES or self._records < self._limit

    def reserve(self, records: int) -> None:
        """Count a batch of so many records that was fetched for this lane and is on its way to ``put``."""
        self._reserved += 1
        self._records += records

    def put(self, batch: Batch, ack: Callable[[], object]) -> None:
        """Queue a batch; ``ack`` is called when it is done. A closed lane drops it: its owner will read it again."""
        if not self._closed:
            self._batches.append((batch, ack))
            self._stirred.set()

    async def close(self) -> None:
        """Let the batch in work end and drop those that wait."""
        self._closed = True
        self._stirred.set()
        await self._task

    async def _work(self) -> None:
        try:
            while True:
                await self._stirred.wait()
                # No lease: either the coordinator is away, then it comes back, or we are to be revoked.
                while not self._closed and not self._lease.valid():
                    await asyncio.sleep(_LEASE_RETRY)
                if self._closed:
                    return
                batch, acks = self._next()
                await self._handler.batch(batch)
                for ack in acks:
                    ack()
                self._reserved -= len(acks)
                self._records -= len(batch.records)
                self._on_room()
                await asyncio.sleep(0)
        except BaseException as error:  # noqa: BLE001 - a CancelledError out of the handler would end the lane unseen
            fatal(error)

    def _next(self) -> tuple[Batch, list[Callable[[], object]]]:
        """Take the first of the batches that wait, and those behind it that fit."""
        batch, ack = self._batches.popleft()
        acks = [ack]
        if self._batches:
            records = list(batch.records)
            while self._batches and len(records) + len(self._batches[0][0].records) <= self._limit:
                batch, ack = self._batches.popleft()
                records += batch.records
                acks.append(ack)
            batch = Batch(batch.partition, records, batch.highwater)
        if not self._batches:
            self._stirred.clear()
        return batch, acks


def fatal(reason: BaseException) -> NoReturn:
    """End the process now. Restarting from the log is the one recovery path, so that it is always the tested one."""
    log.critical("worker_failed", exc_info=reason)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_FATAL)
