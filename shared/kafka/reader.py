"""Reads Kafka partitions by position: for restores, tools and tests. The services consume by their own transports."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kafka.batches import take
from shared.log import LogRecord, LogUnavailableError
from shared.messages.topics import TopicName

_POLL = 0.2  # s
_FETCH_BYTES = 4 * 1024 * 1024
_FEW_BYTES = 64 * 1024  # what a read of a few records asks for; a batch that is longer comes whole all the same


class KafkaLogReader:
    """A ``LogReader`` over one short-lived consumer per call; belongs to no group and commits nothing.

    Compaction, retention and control records leave gaps between offsets and before the end, so what ends a read is the
    consumer's position, never the offset of a record.
    """

    def __init__(self, bootstrap: str, *, prefix: str, timeout: float = 10.0) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._timeout = timeout

    async def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the partition's next record will get. Raises LogUnavailableError."""
        async with self._consumer(topic, partition) as (consumer, place):
            ends = await consumer.end_offsets([place])
            return int(ends[place])

    async def ends(self, topic: TopicName, partitions: int) -> dict[int, int]:
        """Return ``end`` of the first ``partitions`` partitions of ``topic``, by partition."""
        async with self._consumer(topic, 0) as (consumer, place):
            places = [TopicPartition(place.topic, number) for number in range(partitions)]
            ends = await consumer.end_offsets(places)
            return {found.partition: int(end) for found, end in ends.items()}

    async def firsts(self, topic: TopicName, partitions: int) -> dict[int, LogRecord]:
        """Return the record at offset 0 of the first ``partitions`` partitions of ``topic``, where it is there yet."""
        found: dict[int, LogRecord] = {}
        # A whole batch comes anyhow, and ours has one record.
        async with self._consumer(topic, 0, fetch_bytes=1024) as (consumer, place):
            places = [TopicPartition(place.topic, number) for number in range(partitions)]
            begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            waiting = {it for it in places if begins[it] == 0 < ends[it]}
            consumer.assign(waiting)
            for it in waiting:
                consumer.seek(it, 0)
            while waiting:
                fetched = await take(consumer, _POLL)
                if fetched is not None:
                    it, records = fetched
                    waiting.discard(it)
                    if records and records[0].offset == 0:
                        found[it.partition] = records[0]
        return found

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return at most ``limit`` records from ``offset`` on; none means that there is none before the end now."""
        found: list[LogRecord] = []
        async with contextlib.aclosing(self._batches(topic, partition, offset, limit)) as batches:
            async for batch in batches:
                found += batch
                if len(found) >= limit:
                    break
        return found[:limit]

    def read_all(self, topic: TopicName, partition: int, from_offset: int = 0) -> AsyncGenerator[list[LogRecord], None]:
        """Yield the records from ``from_offset`` up to the end as it is at the first step, in batches."""
        return self._batches(topic, partition, from_offset, None)

    async def _batches(
        self, topic: TopicName, partition: int, offset: int, limit: int | None
    ) -> AsyncGenerator[list[LogRecord], None]:
        async with self._consumer(topic, partition, _FETCH_BYTES if limit is None else _FEW_BYTES) as (consumer, place):
            end = (await consumer.end_offsets([place]))[place]
            begin = (await consumer.beginning_offsets([place]))[place]
            # What was asked for may have aged out; without this the consumer would reset itself, or wait for ever.
            consumer.seek(place, min(max(offset, begin), end))
            while await consumer.position(place) < end:
                fetched = await take(consumer, _POLL)
                batch = [] if fetched is None else fetched[1]
                while batch and batch[-1].offset >= end:
                    batch.pop()
                if batch:
                    yield batch

    @contextlib.asynccontextmanager
    async def _consumer(
        self, topic: TopicName, partition: int, fetch_bytes: int = _FEW_BYTES
    ) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
        place = TopicPartition(self._prefix + topic, partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=fetch_bytes,
            request_timeout_ms=int(self._timeout * 1000),
        )
        try:
            await consumer.start()
            consumer.assign([place])
            yield consumer, place
        except KafkaError as error:
            raise LogUnavailableError(f"{place.topic}/{partition} cannot be read: {error!r}") from error
        finally:
            await consumer.stop()
