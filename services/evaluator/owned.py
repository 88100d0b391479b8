"""The partitions that this worker owns: restores them, runs them, gives them up. Knows Kafka, not Faust."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec
import structlog

from services.evaluator.broker_time import BrokerTime
from services.evaluator.changelog.image import Image
from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.ports import FencedError
from services.evaluator.changelog.rows import MemoryRows, Rows, StateUnreadableError
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.core.catalog import catalog_of
from services.evaluator.lease import Lease
from services.evaluator.meta import Meta, decode_meta
from services.evaluator.partitions import Batch, fatal
from services.evaluator.processor import PartitionProcessor
from services.evaluator.published import PublishedJourneys, orders_in
from services.evaluator.queries import Held, NotHeldError
from services.evaluator.runner import YOUNG, PartitionRunner
from services.evaluator.settings import EvaluatorSettings
from services.evaluator.standby import KafkaSource, Standbys
from services.evaluator.tail import ChangelogTail
from services.evaluator.watchdog import CountingReader, Watchdog, Work
from shared.clock import SECOND, monotonic_clock, system_clock
from shared.errors import loggable
from shared.journeys.model import Definitions
from shared.kafka.admin import committed_offsets, read_incarnations
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, LogRecreatedError
from shared.memory import give_back
from shared.messages.topics import CHANGELOG, EVENTS
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

_BEAT = 0.02
"""s between two looks at what time asks for; a fifth of the shortest gap between ticks."""


class _Owned(msgspec.Struct):
    rows: Rows
    changelog: PartitionChangelog
    runner: PartitionRunner
    time: BrokerTime
    beat: asyncio.Task[None] | None = None
    lag: float = 0.0


class OwnedPartitions:
    """The ``PartitionHandler`` of the evaluator on Kafka."""

    def __init__(
        self,
        settings: EvaluatorSettings,
        base: Definitions,
        lease: Lease,
        metrics: Metrics,
        open_rows: Callable[[int], Rows] = MemoryRows,
    ) -> None:
        """``base`` are the journeys of the worker's own folder; ``open_rows`` says where a partition's rows are.

        Nothing is connected before ``running``.
        """
        self._settings = settings
        self._base = base
        self._catalog = catalog_of(base)
        self._lease = lease
        self._metrics = metrics
        self._open_rows = open_rows
        kafka, prefix = settings.kafka_bootstrap, settings.topic_prefix
        self._reader = KafkaLogReader(kafka, prefix=prefix)
        self._restoring = CountingReader(self._reader)
        self._connect: Callable[[], KafkaPublisher] = lambda: KafkaPublisher(
            kafka, prefix=prefix, partitions=settings.partitions, client_id="kikkake-evaluator"
        )
        self._owned: dict[int, _Owned] = {}
        self._assigned = False
        self._assignments = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect for the length of the block."""
        kafka, prefix = self._settings.kafka_bootstrap, self._settings.topic_prefix
        self._publisher = self._connect()
        self._writer = ChangelogWriter(kafka, prefix=prefix, clock=system_clock)
        self._tail = ChangelogTail(kafka, prefix=prefix, reader=self._reader, observe=self._observe)
        source = KafkaSource(kafka, prefix=prefix)
        self._standbys = Standbys(source, self._reader, self._open_rows, self._metrics)
        self._published = PublishedJourneys(kafka, prefix=prefix, base=self._base, publish=self._publisher.publish)
        await self._publisher.start()
        await self._published.start()
        await self._writer.start()
        await self._tail.start()
        await source.start()
        watchdog = Watchdog(self._settings.watchdog_timeout, self._work)
        work = self._tail.run(), self._published.run(), self._standbys.run(), watchdog.run()
        following = asyncio.gather(*map(_loudly, work))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            self._standbys.follow(frozenset())
            await source.stop()
            await self._tail.stop()
            await self._writer.stop()
            await self._publisher.stop()
            self._drop(set(self._owned))

    async def ready(self) -> bool:
        """Tell whether the group has given us our share and a broker answers."""
        return self._assigned and await self._publisher.ready()

    def held(self, contact: str) -> Held:
        """Return what holds the contact of this key. Raises NotHeldError unless it is the truth, and stays it as read.

        While the lease lasts nobody else can have claimed the partition.
        """
        partition = partition_of(contact.encode(), self._settings.partitions)
        owned = self._owned.get(partition)
        if owned is None:
            raise NotHeldError("not_owner")
        if owned.beat is None:
            raise NotHeldError("moving")
        if not self._lease.valid():
            raise NotHeldError("no_lease")
        return Held(partition, owned.changelog, owned.runner.caught_up)

    async def assigned(
        self, partitions: frozenset[int], kept: frozenset[int], standbys: frozenset[int]
    ) -> Mapping[int, int | None]:
        """Restore and claim what is new, drop or follow what is gone, and return where to begin reading."""
        followed = standbys - partitions if self._settings.standby_replicas else frozenset()
        self._drop(self._owned.keys() - kept, warm=partitions | followed)
        new = partitions - self._owned.keys()
        if new:
            incarnations = await read_incarnations(self._settings, EVENTS)
            ends = await self._reader.ends(EVENTS, self._settings.partitions)
            warm = {partition: self._standbys.take(partition) for partition in sorted(new)}
            await asyncio.gather(
                *[self._open(number, incarnations.get(number), ends[number], image) for number, image in warm.items()]
            )
            give_back()
        self._standbys.follow(followed)
        self._tail.follow({number: owned.changelog for number, owned in self._owned.items()})
        for owned in self._owned.values():
            owned.beat = asyncio.create_task(_loudly(self._beat(owned)))
        self._assigned = True
        self._assignments += 1
        return {number: owned.runner.processor.meta.next_offset for number, owned in self._owned.items()}

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Stop the work on ``partitions``; what was saved stays in memory for the case that they come back."""
        self._assigned = False
        self._tail.follow({})
        for number in partitions & self._owned.keys():
            owned = self._owned[number]
            if owned.beat is not None:
                owned.beat.cancel()
                await asyncio.gather(owned.beat, return_exceptions=True)
                owned.beat = None
            if owned.runner.failed:
                # Cancelled within an epoch, which may be in the log or not: only reading it tells.
                self._drop({number})
                continue
            with contextlib.suppress(FencedError):
                await owned.changelog.close()

    async def batch(self, batch: Batch) -> None:
        """Apply a batch of one partition."""
        owned = self._owned[batch.partition]
        newest = batch.records[-1]
        # Of a broker whose clock is ahead by as much nothing can be said.
        live = abs(system_clock() - batch.records[0].timestamp) <= YOUNG
        caught_up = newest.offset + 1 >= batch.highwater
        owned.time.observe(newest.timestamp)
        for order in orders_in(batch.records):
            await self._published.reach(order.number)
            self._published.require(order.journey, order.version)
        await owned.runner.batch(batch.records, live=live, caught_up=caught_up)
        now = system_clock()
        for record in batch.records:
            self._metrics.event_decision.observe(max(0, now - record.timestamp) / SECOND)
        owned.lag = 0.0 if caught_up else (now - newest.timestamp) / SECOND
        self._measure_lag()

    def _drop(self, partitions: set[int], *, warm: frozenset[int] = frozenset()) -> None:
        """Give ``partitions`` up; the rows of those in ``warm`` stay, to be proved by whoever continues them."""
        for number in partitions:
            owned = self._owned.pop(number)
            owned.runner.forget()
            if number in warm:
                self._standbys.give(number, owned.changelog.image)
            else:
                owned.rows.close()
        self._measure_lag()

    def _measure_lag(self) -> None:
        lag = max((owned.lag for owned in self._owned.values()), default=0.0)
        self._metrics.consumer_lag.labels(EVENTS).set(lag)

    async def _open(self, partition: int, incarnation: str | None, end: int, standby: Image | None = None) -> None:
        rows = self._open_rows(partition) if standby is None else standby.rows
        try:
            try:
                owned = await self._restored(rows, partition, incarnation, end, standby)
            except StateUnreadableError as error:
                rows.discard(str(error))
                owned = await self._restored(rows, partition, incarnation, end)
        except BaseException:
            rows.close()
            raise
        self._owned[partition] = owned

    async def _restored(
        self, rows: Rows, partition: int, incarnation: str | None, end: int, standby: Image | None = None
    ) -> _Owned:
        changelog = await open_partition(
            partition,
            owner=os.urandom(16).hex(),
            reader=self._restoring,
            writer=self._writer,
            publisher=self._publisher,
            may_act=self._lease.valid,
            rows=rows,
            standby=standby,
        )
        saved = changelog.load_meta()
        known = Meta() if saved is None else decode_meta(saved)
        if saved is None:
            await self._require_unread(partition)
        await self._published.reach(known.change)
        processor = PartitionProcessor(
            partition=partition,
            catalog=self._catalog,
            store=changelog,
            # The first record has aged out of a log that we have read for long: it is the log that we know.
            incarnation=incarnation or known.incarnation,
            on_error=lambda action, error: _LOG.error(action, partition=partition, error=loggable(error)),
            catalogs=self._published.catalog,
            indexed=False,
        )
        with contextlib.closing(processor.index()) as steps:  # closed, for it would keep the rows from being so
            for _ in steps:
                await asyncio.sleep(0)  # the other partitions go on meanwhile
        time = BrokerTime(system_clock, monotonic_clock)
        runner = PartitionRunner(
            processor,
            changelog,
            self._publisher,
            journey_clock=time.now,
            machine_clock=system_clock,
            metrics=self._metrics,
            caught_up=processor.meta.next_offset >= end,
            may_act=self._lease.valid,
            orders=self._published.markers,
        )
        return _Owned(rows, changelog, runner, time)

    async def _require_unread(self, partition: int) -> None:
        """Raise LogRecreatedError if others have applied records of a partition of whose contacts nothing is known."""
        settings = self._settings
        offset = (await committed_offsets(settings, settings.evaluator_group, EVENTS)).get(partition, 0)
        if offset > 0:
            group, topic = settings.evaluator_group, settings.topic_prefix + EVENTS
            raise LogRecreatedError(
                f"{group} has read {topic}/{partition} up to {offset}, but {settings.topic_prefix}{CHANGELOG} knows of"
                " no contact there: it was created anew, and with it consent and history are gone. Bring it back from"
                f" a copy; or, to build contacts anew from the events that {topic} still has, stop the evaluators, let"
                f" `kafka-consumer-groups.sh --delete-offsets --group {group} --topic {topic}` forget what was read,"
                " and start them"
            )

    async def _require_same_events(self) -> None:
        """Raise LogRecreatedError if ``events`` is another than was: it could be read on past our position."""
        for number, incarnation in (await read_incarnations(self._settings, EVENTS)).items():
            owned = self._owned.get(number)
            if owned is not None and owned.runner.processor.meta.incarnation != incarnation:
                raise LogRecreatedError(
                    f"{self._settings.topic_prefix}{EVENTS} was created anew while we ran; started again, the evaluator"
                    " reads it from its beginning, and contacts keep what is known of them"
                )

    async def _beat(self, owned: _Owned) -> None:
        while True:
            await owned.runner.beat()
            if self._lease.valid():
                await owned.changelog.repair()
            owned.runner.measure()
            # A herd goes on at once. Records come between all the same: a batch that waits for the runner is next.
            await asyncio.sleep(0 if owned.runner.in_haste else _BEAT)

    async def _work(self) -> Work:
        """Return what has work to do and what has become of it. Raises LogUnavailableError."""
        ends = await self._reader.ends(EVENTS, self._settings.partitions)
        if not self._assigned:
            done = f"{self._assignments} so far, {self._restoring.records} records restored"
            return {"the assignment of partitions": done}
        await self._require_same_events()
        work: dict[str, str] = {}
        for number, owned in tuple(self._owned.items()):  # an assignment may come while Kafka is asked
            # As saved: the processor's own is that of the epoch under way, which may never be acknowledged.
            saved = owned.changelog.load_meta()
            meta = Meta() if saved is None else decode_meta(saved)
            waits = meta.next_offset < ends[number]
            # The end may lie behind control records, which nobody can read: no batch says then that nothing is left.
            if waits and not await self._reader.read(EVENTS, number, meta.next_offset, 1):
                waits = False
                if owned.changelog.load_meta() == saved and not owned.runner.failed:
                    owned.runner.caught_up, owned.lag = True, 0.0
            if owned.runner.busy or waits:
                work[f"partition {number}"] = f"epoch {meta.epoch}, next record {meta.next_offset}"
        return work

    def _observe(self, partition: int, record: LogRecord) -> None:
        owned = self._owned.get(partition)
        if owned is None or owned.beat is None:
            return
        owned.changelog.observe(record)
        if owned.changelog.fenced:
            fatal(FencedError(f"partition {partition} was claimed by another worker while we held it"))


async def _loudly(work: object) -> None:
    """Run a coroutine; what it raises ends the process."""
    try:
        await work  # type: ignore[misc]  # a coroutine of any result
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - nothing may fail unseen
        fatal(error)
