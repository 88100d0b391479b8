"""The harness beside the evaluators: one follower of their changelog, and a dispatcher that settles every command."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.records import META
from services.evaluator.changelog.rows import MemoryRows
from services.evaluator.meta import decode_meta
from shared.clock import system_clock
from shared.kafka.publisher import KafkaPublisher
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.topics import CHANGELOG, COMMANDS, EVENTS, INCARNATION_KEY, TopicName
from shared.settings import KafkaSettings
from tests.faults.recovery import Saved
from tests.faults.workload import outcome_by_id


async def follow(settings: KafkaSettings, topic: TopicName) -> AsyncIterator[tuple[int, list[LogRecord]]]:
    """Yield every record of all partitions of ``topic``, from the first on, without end; outages are waited out."""
    places = [TopicPartition(settings.topic_prefix + topic, number) for number in range(settings.partitions)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while True:
            try:
                polled = await consumer.getmany(timeout_ms=200)
            except KafkaError:
                await asyncio.sleep(0.2)
                continue
            for place, records in polled.items():
                yield place.partition, [_record(it) for it in records]
    finally:
        await consumer.stop()


def _record(it: Any) -> LogRecord:
    return LogRecord(it.offset, it.timestamp, it.key, it.value, tuple(it.headers))


class ChangelogFollower:
    """Every partition's state as its changelog tells it, and the epochs by which it came to be."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        partitions = range(settings.partitions)
        self.images = {number: Image(MemoryRows(), "") for number in partitions}
        self.epochs: dict[int, list[Saved]] = {number: [] for number in partitions}
        self.stale = 0
        """Records that stand behind a claim of a higher term."""

    async def run(self) -> None:
        """Follow until cancelled."""
        async for partition, records in follow(self._settings, CHANGELOG):
            for record in records:
                self._take(partition, record)

    def cursors(self) -> dict[int, int]:
        """Return up to which offset of ``events`` each partition is applied."""
        return {number: epochs[-1].next_offset if epochs else 0 for number, epochs in self.epochs.items()}

    def _take(self, partition: int, record: LogRecord) -> None:
        image = self.images[partition]
        overwritten = len(image.overwritten)
        image.apply([record])
        self.stale += len(image.overwritten) > overwritten
        if record.key == META and record.value is not None and image.meta == record.value:
            meta = decode_meta(record.value)
            fired = meta.counters.timers_fired
            self.epochs[partition].append(Saved(record.timestamp, meta.term, meta.next_offset, meta.log_time, fired))


class Dispatcher:
    """Reports one outcome for each command, now and then twice; always the same one, as an idempotent provider's."""

    def __init__(self, settings: KafkaSettings, clock: Callable[[], int] = system_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._publisher = KafkaPublisher(
            settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions
        )
        self.settled: set[str] = set()

    async def run(self) -> None:
        """Settle until cancelled."""
        await publishing(self._publisher, [])
        try:
            async for _, records in follow(self._settings, COMMANDS):
                await publishing(self._publisher, self._outcomes(records))
        finally:
            await self._publisher.stop()

    def _outcomes(self, records: Iterable[LogRecord]) -> list[Output]:
        outputs = []
        for record in records:
            if record.key == INCARNATION_KEY:
                continue
            command = codec.COMMANDS.decode(record.value)
            assert isinstance(command, SendCommand)
            if command.command_id in self.settled:
                continue
            self.settled.add(command.command_id)
            outcome = codec.encode(outcome_by_id(command, self._clock()))
            output = Output(EVENTS, command.contact.encode(), outcome)
            outputs += [output] * (2 if command.command_id[1] == "0" else 1)
        return outputs


async def publishing(publisher: KafkaPublisher, outputs: list[Output]) -> None:
    """Publish ``outputs``, again and again until they are acknowledged: what every client of ours does."""
    while True:
        with contextlib.suppress(LogUnavailableError):
            await publisher.publish(outputs)
            return
        await asyncio.sleep(0.2)
