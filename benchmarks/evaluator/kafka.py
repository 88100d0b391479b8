"""What the benchmark itself does with Kafka: topics, the events in them, and the commands as they come out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.evaluator.workload import PARTITIONS, Workload
from shared.messages.topics import INCARNATION_KEY

HEADER = bytes([1, 0])
"""What stands before the JSON of an event of ours (shared/messages/codec.py)."""
_BATCH_BYTES = 256 * 1024


class Arrival(NamedTuple):
    """A command, and when it could be read (monotonic)."""

    at: float
    value: bytes


class Kafka:
    """One broker, as seen from its own core."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def create(self, *topics: str) -> None:
        """Create ``topics``. Their time is that of the events, as the records say, and not the broker's."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            config = {"message.timestamp.type": "CreateTime", "max.message.bytes": str(4 * 1024 * 1024)}
            await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=config) for name in topics])
        finally:
            await admin.close()

    async def delete(self, prefix: str) -> None:
        """Delete every topic whose name begins with ``prefix``."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
        finally:
            await admin.close()

    async def load(self, topic: str, work: Workload, until: int, *, bare: bool) -> None:
        """Write the acts before the number ``until``, as fast as it goes."""
        head = b"" if bare else HEADER
        async with AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, max_batch_size=_BATCH_BYTES
        ) as producer:
            builders = [producer.create_batch() for _ in range(PARTITIONS)]
            sent: list[asyncio.Future[object]] = []
            for number, act in enumerate(work.acts[:until]):
                key, value = act.contact.encode(), head + work.value(number)
                if builders[act.partition].append(key=key, value=value, timestamp=act.at) is None:
                    sent.append(await producer.send_batch(builders[act.partition], topic, partition=act.partition))
                    builders[act.partition] = producer.create_batch()
                    builders[act.partition].append(key=key, value=value, timestamp=act.at)
            for partition, builder in enumerate(builders):
                if builder.record_count():
                    sent.append(await producer.send_batch(builder, topic, partition=partition))
            await asyncio.gather(*sent)

    async def trickle(self, topic: str, work: Workload, begin: int, rate: float, *, bare: bool) -> list[float]:
        """Write the acts from the number ``begin`` on, ``rate`` a second; return when each was to be (monotonic).

        Open loop: an act is written at its time, whatever became of those before.
        """
        head = b"" if bare else HEADER
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True) as producer:
            first = time.monotonic() + 0.1
            due = [first + place / rate for place in range(len(work.acts) - begin)]
            sent: list[asyncio.Future[object]] = []
            for number, at in enumerate(due, begin):
                if (left := at - time.monotonic()) > 0:
                    await asyncio.sleep(left)
                act = work.acts[number]
                value, key = head + work.value(number), act.contact.encode()
                sent.append(await producer.send(topic, value, key, act.partition, timestamp_ms=act.at))
            await asyncio.gather(*sent)
        return due


class Commands:
    """The commands of one race, read as they come; of a transaction once it is committed."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.arrived: list[list[Arrival]] = [[] for _ in range(PARTITIONS)]

    @property
    def counts(self) -> list[int]:
        """How many have come, by partition."""
        return [len(arrived) for arrived in self.arrived]

    @property
    def count(self) -> int:
        """How many have come."""
        return sum(self.counts)

    async def look(self, patience_ms: int = 50) -> None:
        """Take what has come, or wait a little for it."""
        for place, records in (await self._consumer.getmany(timeout_ms=patience_ms)).items():
            now = time.monotonic()
            self.arrived[place.partition] += [
                Arrival(now, record.value) for record in records if record.key != INCARNATION_KEY
            ]


@asynccontextmanager
async def commands(kafka: Kafka, topic: str) -> AsyncIterator[Commands]:
    """Read ``topic`` from its beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        places: Sequence[TopicPartition] = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        yield Commands(consumer)
    finally:
        await consumer.stop()
