"""A writer of the changelog that no broker shuts out, nor any other for its sake: what it writes is as it says."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from services.evaluator.changelog.records import Stamp
from shared.messages.topics import CHANGELOG
from shared.settings import KafkaSettings


async def append_unfenced(
    settings: KafkaSettings, partition: int, records: Sequence[tuple[bytes, bytes | None]], stamp: Stamp
) -> None:
    """Append ``records`` as one batch, whoever owns the partition."""
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all") as producer:
        batch = producer.create_batch()
        for key, value in records:
            assert batch.append(timestamp=None, key=key, value=value, headers=stamp.headers()) is not None
        await (await producer.send_batch(batch, settings.topic_prefix + CHANGELOG, partition=partition))
