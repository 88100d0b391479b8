"""One owned partition on Kafka: take it over, feed its worker from ``commands`` and ``cancels``, say what to commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from services.dispatcher.channels.base import Provider
from services.dispatcher.claims import RedisClaims, Tenure
from services.dispatcher.connectors.base import Connector
from services.dispatcher.delivery import Deliverer
from services.dispatcher.freshness import CancelsFresh
from services.dispatcher.lanes import Lane
from services.dispatcher.ledger import Appender, KafkaLedger
from services.dispatcher.ports import Clocks, DeliveryOptions
from services.dispatcher.telemetry import Telemetry
from services.dispatcher.worker import PartitionWorker, WorkerLimits
from shared.clock import DAY
from shared.composing.links import Links
from shared.errors import RetryableError
from shared.log import LogReader, LogRecord
from shared.messages.command import CommandRecord
from shared.messages.topics import CANCELS, COMMANDS

_LOG = structlog.get_logger(__name__)
_POLL_MS = 200
# Compaction leaves a row alone for an hour: a former owner's afterthought is found long before.
_LOOK_SECONDS = 30.0
# As long as `commands` keeps them (shared/messages/topics.py).
_RETENTION = 7 * DAY


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What all partitions of one process share."""

    consumer: AIOKafkaConsumer
    publisher: Appender
    reader: LogReader
    redis: Redis
    channels: Mapping[str, Sequence[Lane[Provider]]]
    connectors: dict[str, Lane[Connector]]
    telemetry: Telemetry
    clocks: Clocks
    links: Links
    prefix: str
    limits: WorkerLimits
    held: int
    lease: int
    owned: Callable[[], bool]
    stopped: Callable[[CommandRecord], bool]
    new_token: Callable[[], str]


class OwnedPartition:
    """One partition from its assignment to its revocation."""

    def __init__(self, partition: int, around: Surroundings) -> None:
        self.partition = partition
        self.places = {name: TopicPartition(around.prefix + name, partition) for name in (COMMANDS, CANCELS)}
        self._around = around
        self._worker: PartitionWorker | None = None
        self._fresh = CancelsFresh()
        self._starts: dict[TopicPartition, int] = {}
        self.task = asyncio.create_task(self._run())

    @property
    def committable(self) -> dict[TopicPartition, int]:
        """The offsets that may be committed now; at least where we started, so that a commit proves membership."""
        offsets = dict(self._starts)
        if self._worker is not None:
            for name, offset in (
                (COMMANDS, self._worker.committable_commands),
                (CANCELS, self._worker.committable_cancels),
            ):
                if offset is not None:
                    offsets[self.places[name]] = offset
        return offsets

    async def stop(self, patience: float) -> None:
        """Take no more, and let what is under way finish for ``patience`` seconds. Twice is harmless."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        if self._worker is not None:
            await self._worker.drain(patience)

    async def _run(self) -> None:
        around = self._around
        ledger = KafkaLedger(
            self.partition,
            publisher=around.publisher,
            reader=around.reader,
            clock=around.clocks.machine,
            held=around.held,
        )
        await _patiently(lambda: ledger.take_over(around.new_token()))
        tenure = Tenure(scope=f"{around.prefix}{self.partition}", term=ledger.term, lease=around.lease)
        claims = RedisClaims(
            around.redis,
            tenure,
            confirm=ledger.refresh,
            held=ledger.in_hand,
        )
        # In this order: whatever a former owner was still granted is in `deliveries` before we read its end.
        await _patiently(claims.rebuild)
        await _patiently(ledger.open_term)
        claims.respect(list(ledger.in_hand()))
        options = DeliveryOptions(
            clocks=around.clocks,
            freshness=self._fresh,
            telemetry=around.telemetry,
            max_age=_RETENTION,
            owned=around.owned,
            links=around.links,
            stopped=around.stopped,
        )
        deliverer = Deliverer(
            ledger=ledger, claims=claims, channels=around.channels, connectors=around.connectors, options=options
        )
        self._worker = PartitionWorker(self.partition, deliverer=deliverer, ledger=ledger, limits=around.limits)
        for place in self.places.values():
            self._starts[place] = await around.consumer.position(place)
        await self._worker.start()
        _LOG.info("dispatcher.partition_opened", partition=self.partition, term=ledger.term)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_cancels(self._worker))
            group.create_task(self._read_commands(self._worker))
            group.create_task(_watch(self._worker, ledger))

    async def _read_commands(self, worker: PartitionWorker) -> None:
        # The cancels that lie before them first: a command cancelled while we were away is not even tried.
        while self._fresh.seen.end_read_at is None:
            await asyncio.sleep(_POLL_MS / 1000)
        while True:
            await worker.take_commands(await self._poll(COMMANDS, worker))

    async def _read_cancels(self, worker: PartitionWorker) -> None:
        consumer, place = self._around.consumer, self.places[CANCELS]
        while True:
            records = await self._poll(CANCELS, worker)
            await worker.take_cancels(records)
            # Asked before and answered by the broker: everything up to then has been applied.
            answered, end = consumer.last_poll_timestamp(place), consumer.highwater(place)
            if answered is not None and end is not None and await consumer.position(place) >= end:
                self._fresh.note_end(answered)

    async def _poll(self, name: str, worker: PartitionWorker) -> list[LogRecord]:
        if worker.failure is not None:
            raise worker.failure
        place = self.places[COMMANDS] if name == COMMANDS else self.places[CANCELS]
        polled = await self._around.consumer.getmany(place, timeout_ms=_POLL_MS)
        return [
            LogRecord(record.offset, record.timestamp, record.key, record.value) for record in polled.get(place, ())
        ]


async def _watch(worker: PartitionWorker, ledger: KafkaLedger) -> None:
    """Look for other writers of our partition now and then. Ends by FencedError."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if worker.failure is not None:
            raise worker.failure
        await _patiently(ledger.refresh)


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat ``step`` until it succeeds: Kafka and Redis come back by themselves."""
    while True:
        try:
            return await step()
        except RetryableError as error:
            _LOG.warning("dispatcher.waiting", reason=str(error))
            await asyncio.sleep(0.5)
