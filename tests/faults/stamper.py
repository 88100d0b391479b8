"""Writes to ``events`` with append times of the harness's own choice, where the topic takes them (``own_time``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.kafka.partition import partition_of
from shared.log import Output
from shared.messages import codec
from shared.messages.event import Tick
from shared.messages.topics import EVENTS
from shared.settings import KafkaSettings


async def create_events_with_own_time(settings: KafkaSettings) -> None:
    """Create ``events`` so that a record has the time that its producer says: the producer is the broker's clock."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        # A broker refuses by default what is an hour ahead of its own clock.
        any_time = {"message.timestamp.before.max.ms": str(2**62), "message.timestamp.after.max.ms": str(2**62)}
        config = {"message.timestamp.type": "CreateTime", **any_time}
        topic = NewTopic(settings.topic_prefix + EVENTS, settings.partitions, 1, topic_configs=config)
        await admin.create_topics([topic])
    finally:
        await admin.close()


class Stamper:
    """A producer that stamps."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(self, outputs: Sequence[Output], at: int) -> None:
        """Append ``outputs``, all at ``at``."""
        places = [partition_of(output.key or b"", self._settings.partitions) for output in outputs]
        records = [(output.key, output.value, place) for output, place in zip(outputs, places, strict=True)]
        await self._send(records, at)

    async def tick(self, at: int) -> None:
        """Let every partition's log reach ``at``."""
        partitions = range(self._settings.partitions)
        await self._send([(None, codec.encode(Tick(partition=number)), number) for number in partitions], at)

    async def _send(self, records: Iterable[tuple[bytes | None, bytes | None, int]], at: int) -> None:
        topic = self._settings.topic_prefix + EVENTS
        futures = [
            await self._producer.send(topic, value, key, partition=partition, timestamp_ms=at)
            for key, value, partition in records
        ]
        await asyncio.gather(*futures)
