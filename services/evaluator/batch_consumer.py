"""Faust's Kafka consumer, changed to deliver one message per fetched batch. Used by ``transport`` alone.

What is overridden or touched of faust-streaming 0.15.3 and aiokafka 0.14.0 is listed, and checked, in
``tests/contract/test_faust_internals.py``.
"""
# ruff: noqa: SLF001 - aiokafka has no public way to any of what we need; the contract test holds each name

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import structlog
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.recovery import RebalanceAgain
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, Message
from faust.types.tuples import ConsumerMessage
from mode import Service
from yarl import URL

from services.evaluator.lease import Lease, watch
from services.evaluator.partitions import Batch, Lane, PartitionHandler, fatal
from shared.clock import SECOND
from shared.errors import PermanentError
from shared.log import LogRecord

log = structlog.get_logger(__name__)

_FETCH_MAX_WAIT_MS = 50  # Faust's fixed 1500 stalls a busy partition behind idle ones (faust.md, section 0, point 4)
_FETCH_WAIT = 0.25  # s; bounds how long a new assignment waits for the fetch that is under way
_FETCH_WAIT_CROWDED = 0.02  # s; when a full lane empties, its records may be here already, and nothing wakes the fetch
_COORDINATION_CHECK = 1.0  # s
_COMMIT_WAIT = 3.0  # s
_LOG_APPEND_TIME = 1  # as ``events`` has it; Faust only carries it


class StartOffsetError(PermanentError):
    """The log ends before the offset at which reading should begin: its topic was truncated or created anew."""


_Found = tuple[TP, list[LogRecord], int]  # partition, records, end of the partition


class _Fetched(OrderedDict[Any, Any]):
    """What the fetcher has of each partition, made records of ours: aiokafka's own take three times as long."""

    def __setitem__(self, place: Any, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):  # and not an error
            fetched._partition_records._consumer_record = _record
        super().__setitem__(place, fetched)


def _record(_place: Any, found: Any) -> LogRecord:
    return LogRecord(found.offset, found.timestamp, found.key, found.value, tuple(found.headers))


class Delivery(NamedTuple):
    """What a Faust event carries: a batch and the lane of the assignment under which it was fetched."""

    lane: Lane
    batch: Batch


class _Forgetful(defaultdict[TP, int | None]):
    """Stands in for Faust's record of read offsets, by which it drops batches and guesses gaps; seeks decide here."""

    def __getitem__(self, key: TP) -> None:
        return None

    def __setitem__(self, key: TP, value: int | None) -> None:
        pass


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer. Methods with a leading underscore run on its loop."""

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_MAX_WAIT_MS
        return consumer

    @property
    def _aiokafka(self) -> Any:
        return self._ensure_consumer()

    async def on_start(self) -> None:
        """Connect, have records fetched as ours, and watch the heartbeats that will follow."""
        await super().on_start()
        self._aiokafka._fetcher._records = _Fetched()
        watch(self._aiokafka._coordinator, cast("BatchConsumer", self.consumer).lease)

    @Service.task
    async def _check_coordination(self) -> None:
        # aiokafka parks its coordination on an error until somebody asks for it, and Faust never asks: the worker
        # would stay up without a heartbeat. Raising here crashes the worker instead.
        while not self.should_stop:
            self._aiokafka._coordinator.check_errors()
            await self.sleep(_COORDINATION_CHECK)

    async def fetch(self, tps: set[TP], wait: float) -> list[_Found]:
        """Return what has been read of ``tps``, at most ``max_poll_records`` in all, with the partition's end."""
        return cast("list[_Found]", await self.call_thread(self._fetch, tps, wait))

    async def _fetch(self, tps: set[TP], wait: float) -> list[_Found]:
        consumer = self._aiokafka
        subscriptions = consumer._subscription
        if subscriptions.reassignment_in_progress:  # it would hold one of the thread's two workers until that ends
            await asyncio.sleep(_FETCH_WAIT_CROWDED)
            return []
        assignment = subscriptions.subscription.assignment
        try:
            found = await self._fetch_records(consumer, tps, timeout=wait, max_records=consumer._max_poll_records)
        except KafkaError:
            if assignment.active:
                raise
            return []  # of the next assignment, which has no position yet or a committed one that has expired
        if not assignment.active:
            return []
        return [(ensure_TP(tp), records, assignment.state_value(tp).highwater) for tp, records in found.items()]

    async def start_at(self, starts: Mapping[TP, int | None]) -> dict[TP, int]:
        """Make ``starts`` the positions; None means the committed offset, else the first. Return the positions."""
        return cast("dict[TP, int]", await self.call_thread(self._start_at, starts))

    async def _start_at(self, starts: Mapping[TP, int | None]) -> dict[TP, int]:
        consumer = self._aiokafka
        assignment = consumer._subscription.subscription.assignment
        first, end = await asyncio.gather(consumer.beginning_offsets(starts), consumer.end_offsets(starts))
        positions: dict[TP, int] = {}
        for tp, start in starts.items():
            wanted = await consumer.committed(tp) if start is None else start
            positions[tp] = first[tp] if wanted is None else max(wanted, first[tp])
            if wanted is not None and wanted < first[tp]:
                log.error("records_expired", tp=tp, wanted=wanted, first=first[tp])
            if positions[tp] > end[tp]:
                raise StartOffsetError(f"{tp} ends at {end[tp]}, reading should begin at {wanted}")
        if not assignment.active:  # checked after the last await: an old assignment's offsets must not move a new one
            raise IllegalStateError("partitions were reassigned")
        for tp, position in positions.items():
            consumer.seek(tp, position)
        return positions


class BatchConsumer(driver.Consumer):
    """One message per fetched batch, explicit start offsets and a drain before each revocation."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport = cast("BatchTransport", self.transport)
        self.handler, self.lease, self._drain_timeout = transport.handler, transport.lease, transport.drain_timeout
        self._read_offset = _Forgetful()
        self._fetching = asyncio.Lock()  # a fetch under way ends before positions change, and its records are dropped
        self._releasing = asyncio.Lock()
        self._room = asyncio.Event()
        self._lanes: dict[TP, Lane] = {}  # replaced, never changed: its identity is the assignment's
        self._owned: frozenset[TP] | None = None  # from assignment to revocation
        self._restoring: asyncio.Future[Mapping[int, int | None]] | None = None
        self._starts: dict[TP, int | None] | None = None  # what ``restore`` leaves for ``perform_seek``
        self._positions: dict[TP, int] | None = None  # what that leaves for ``resume_flow``
        self._kept: frozenset[TP] = frozenset()  # restored once, and ours in every generation since
        self._generation = self._membership = 0
        self._touched = False  # whether the handler was told of the partitions that we own

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take note of what we own; Faust's recovery then calls ``restore`` while heartbeats go on."""
        await self.release()  # a second lane for a partition must be impossible, whatever calls us
        # Of a generation that we were not told of, or between two memberships, another worker may have owned anything.
        unbroken = (generation_id, self.lease.memberships) == (self._generation + 1, self._membership)
        self._generation, self._membership = generation_id, self.lease.memberships
        self._kept = self._kept & assigned if unbroken else frozenset()
        self._owned = frozenset(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain and commit before Faust forgets what was acknowledged (faust.md, section 5, edge 6)."""
        await self.release()
        await super().on_partitions_revoked(revoked)

    async def restore(self) -> None:
        """Let the handler restore what we own now. Raises RebalanceAgain if that is revoked meanwhile."""
        owned = self._owned
        if owned is None:  # revoked before Faust got round to calling us
            raise RebalanceAgain
        self._touched = True
        partitions, kept = (frozenset(tp.partition for tp in tps) for tps in (owned, self._kept))
        standbys = frozenset(tp.partition for tp in self.app.assignor.assigned_standbys()) - partitions
        task = self._restoring = asyncio.ensure_future(self.handler.assigned(partitions, kept, standbys))
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()  # if we were cancelled ourselves
            self._restoring = None
        if task.cancelled():
            raise RebalanceAgain
        if (error := task.exception()) is not None:
            fatal(error)
        if self._owned is not owned:  # revoked as it returned
            raise RebalanceAgain
        offsets = task.result()
        self._kept = owned
        self._starts = {tp: offsets[tp.partition] for tp in owned}

    async def perform_seek(self) -> None:
        """Go to the offsets that the handler named; nothing if the partitions were revoked meanwhile."""
        starts = self._starts
        if starts is None:
            return
        try:
            # Faust takes its own timeout for the end of the service and then stays up doing nothing; ours comes first.
            async with asyncio.timeout(self.app.conf.broker_request_timeout / 2), self._fetching:
                positions = await self._thread.start_at(starts)
        except IllegalStateError:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, going on would skip or repeat
            fatal(error)
        if starts is self._starts:
            self._positions = positions

    def resume_flow(self) -> None:
        """Open the lanes. Not before this: the step before it in Faust's recovery empties the agent's queue."""
        super().resume_flow()
        positions, self._positions = self._positions, None
        if positions is not None:
            self._committed_offset.update(positions)
            limit = self.app.conf.broker_max_poll_records
            self._lanes = {tp: Lane(self.handler, self.lease, self._room.set, limit) for tp in positions}
            self._room.set()

    async def release(self) -> None:
        """Stop delivering, end what is in work, tell the handler and commit. Safe to call again."""
        try:
            async with self._releasing, asyncio.timeout(self._drain_timeout / SECOND):
                lanes, self._lanes = self._lanes, {}
                owned, self._owned = self._owned, None
                self._starts = self._positions = None
                if self._restoring is not None:
                    self._restoring.cancel()
                    await asyncio.wait([self._restoring])
                await asyncio.gather(*(lane.close() for lane in lanes.values()))
                if owned is not None and self._touched:
                    self._touched = False
                    await self.handler.revoked(frozenset(tp.partition for tp in owned))
                if lanes:
                    with suppress(
                        TimeoutError
                    ):  # a commit is a hint; aiokafka retries it as long as the broker is away
                        async with asyncio.timeout(_COMMIT_WAIT):
                            await self.maybe_wait_for_commit_to_finish()
                            await self.commit()
        except Exception as error:  # noqa: BLE001 - Faust and aiokafka would log it and go on
            fatal(error)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yield one message per partition and fetched batch; partitions whose lane is full are left for later."""
        lanes = self._lanes
        wanted = {tp for tp, lane in lanes.items() if lane.has_room}
        if not wanted:
            self._room.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), timeout)
            return
        wait = _FETCH_WAIT if len(wanted) == len(lanes) else _FETCH_WAIT_CROWDED
        async with self._fetching:
            fetched = await self._thread.fetch(wanted, wait) if lanes is self._lanes else []
        for tp, records, highwater in fetched:
            if lanes is not self._lanes:
                return  # revoked since: the next owner reads this again
            lanes[tp].reserve(len(records))
            yield tp, self._message(tp, lanes[tp], records, highwater)

    def _message(self, tp: TP, lane: Lane, records: list[LogRecord], highwater: int) -> Message:
        batch = Batch(tp.partition, records, highwater)
        last = records[-1]
        return ConsumerMessage(
            *tp,
            last.offset,
            last.timestamp / SECOND,
            _LOG_APPEND_TIME,
            headers=None,
            key=None,
            value=cast("Any", Delivery(lane, batch)),
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _new_offset(self, tp: TP) -> int | None:
        # Lanes acknowledge in order, so the last one covers all before it. Faust's own version also counts records
        # next to a gap as done (faust.md, section 5, edge 4).
        acked = self._acked[tp]
        if not acked:
            return None
        offset = acked[-1] + 1
        acked.clear()
        self._acked_index[tp].clear()
        return offset

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            await super()._drain_messages(fetcher)
        except Exception as error:  # Faust would leave the worker up with its fetcher dead
            if self.app.should_stop:
                raise
            fatal(error)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's check for stuck streams takes batches for records and reads the thread's state unguarded."""

    def close(self) -> None:
        """Nothing: Faust would close the client from the wrong loop; the thread closes it when it stops."""


class BatchTransport(driver.Transport):
    """The aiokafka driver with our consumer, and what that needs of ours."""

    Consumer = BatchConsumer

    def __init__(self, urls: list[URL], app: AppT, handler: PartitionHandler, lease: Lease, drain_timeout: int) -> None:
        super().__init__(urls, app)
        self.handler = handler
        self.lease = lease
        self.drain_timeout = drain_timeout
