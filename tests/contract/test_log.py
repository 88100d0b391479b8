"""The contract of every log: durable in order once published, read by position.

A new adapter is one function that opens it and one row of ADAPTERS.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogReader, LogRecord, Output, Publisher
from shared.messages.topics import EVENTS, EVENTS_DLQ, TopicName
from shared.settings import KafkaSettings
from tests.fakes import MemoryLog
from tests.servers.kafka import KafkaServer

PARTITIONS = 3


class Opened(NamedTuple):
    """An open log and the partition count of its keyed topics."""

    publisher: Publisher
    reader: LogReader
    partitions: int


class _SqliteReader:
    """SqliteLog reads without waiting; here it reads as the others do."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    async def end(self, topic: TopicName, partition: int) -> int:
        return self._log.end(topic, partition)

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        return self._log.read(topic, partition, offset, limit)

    async def read_all(
        self, topic: TopicName, partition: int, from_offset: int = 0
    ) -> AsyncGenerator[list[LogRecord], None]:
        end = self._log.end(topic, partition)
        records = self._log.read(topic, partition, from_offset, end)
        if records:
            yield records


@asynccontextmanager
async def open_memory(_request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    log = MemoryLog(partitions=PARTITIONS)
    yield Opened(log, log, PARTITIONS)


@asynccontextmanager
async def open_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = Database(folder, "process")
    try:
        log = SqliteLog(database, system_clock)
        yield Opened(log, _SqliteReader(log), 1)
    finally:
        await database.close()


@asynccontextmanager
async def open_kafka(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    server: KafkaServer = request.getfixturevalue("kafka_server")
    settings = KafkaSettings(
        kafka_bootstrap=server.bootstrap, topic_prefix=f"log-{uuid4().hex}.", partitions=PARTITIONS
    )
    await ensure_topics(settings)
    publisher = KafkaPublisher(server.bootstrap, prefix=settings.topic_prefix, partitions=PARTITIONS)
    await publisher.start()
    try:
        yield Opened(publisher, KafkaLogReader(server.bootstrap, prefix=settings.topic_prefix), PARTITIONS)
    finally:
        await publisher.stop()


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Opened]]] = {
    "memory": open_memory,
    "sqlite": open_sqlite,
    "kafka": open_kafka,
}


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.integration)])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    async with ADAPTERS[request.param](request) as opened:
        yield opened


def an_output(key: str, value: str, *, partition: int | None = None, topic: TopicName = EVENTS) -> Output:
    return Output(topic=topic, key=key.encode(), value=value.encode(), partition=partition)


async def everything(log: Opened, topic: TopicName, partition: int, start: int) -> list[LogRecord]:
    return [record async for batch in log.reader.read_all(topic, partition, start) for record in batch]


async def test_what_is_published_is_read_back_in_order(log: Opened) -> None:
    """In order per partition, bytes as they were, offsets growing."""
    start = await log.reader.end(EVENTS, 0)
    await log.publisher.publish([an_output("k", str(number), partition=0) for number in range(500)])
    found = await everything(log, EVENTS, 0, start)
    assert [str(number).encode() for number in range(500)] == [record.value for record in found]
    assert {b"k"} == {record.key for record in found}
    assert sorted({record.offset for record in found}) == [record.offset for record in found]


async def test_the_end_counts_what_is_published(log: Opened) -> None:
    """A record is before the end as soon as its publish has returned, and nothing else is."""
    start = await log.reader.end(EVENTS, 0)
    await log.publisher.publish([an_output("k", "1", partition=0)])
    assert start + 1 == await log.reader.end(EVENTS, 0)
    assert [start] == [record.offset for record in await log.reader.read(EVENTS, 0, start, 10)]


async def test_a_key_is_always_in_its_murmur2_partition(log: Opened) -> None:
    """Every producer agrees on where a contact lives."""
    keys = [f"u:{number}" for number in range(40)]
    starts = [await log.reader.end(EVENTS, partition) for partition in range(log.partitions)]
    await log.publisher.publish([an_output(key, "x") for key in keys])
    for partition, start in enumerate(starts):
        expected = [key.encode() for key in keys if partition_of(key.encode(), log.partitions) == partition]
        assert expected == [record.key for record in await everything(log, EVENTS, partition, start)]


async def test_a_read_is_limited(log: Opened) -> None:
    """At most ``limit`` records, and the next read goes on behind the last one."""
    start = await log.reader.end(EVENTS, 0)
    await log.publisher.publish([an_output("k", str(number), partition=0) for number in range(5)])
    first = await log.reader.read(EVENTS, 0, start, 3)
    second = await log.reader.read(EVENTS, 0, first[-1].offset + 1, 3)
    assert [b"0", b"1", b"2"] == [record.value for record in first]
    assert [b"3", b"4"] == [record.value for record in second]


async def test_a_read_at_the_end_is_empty(log: Opened) -> None:
    """Nothing more is no error, and nobody waits for it."""
    end = await log.reader.end(EVENTS, 0)
    assert [] == await log.reader.read(EVENTS, 0, end, 10)
    assert [] == await log.reader.read(EVENTS, 0, end + 1000, 10)
    assert [] == await everything(log, EVENTS, 0, end)


async def test_an_empty_publish_is_nothing(log: Opened) -> None:
    start = await log.reader.end(EVENTS, 0)
    await log.publisher.publish([])
    assert start == await log.reader.end(EVENTS, 0)


async def test_a_record_without_a_value_is_a_tombstone(log: Opened) -> None:
    start = await log.reader.end(EVENTS, 0)
    await log.publisher.publish([Output(topic=EVENTS, key=b"k", value=None, partition=0)])
    (found,) = await log.reader.read(EVENTS, 0, start, 10)
    assert (b"k", None) == (found.key, found.value)


async def test_a_dead_letter_needs_no_key(log: Opened) -> None:
    """Its topic has one partition, so there is nothing to choose."""
    start = await log.reader.end(EVENTS_DLQ, 0)
    await log.publisher.publish([Output(topic=EVENTS_DLQ, key=None, value=b"x")])
    assert [b"x"] == [record.value for record in await log.reader.read(EVENTS_DLQ, 0, start, 10)]


async def test_a_partition_that_is_not_there_is_refused(log: Opened) -> None:
    """Before anything of the same publish is written."""
    start = await log.reader.end(EVENTS, 0)
    outputs = [an_output("k", "good", partition=0), an_output("k", "bad", partition=log.partitions)]
    with pytest.raises(ValueError, match="partition"):
        await log.publisher.publish(outputs)
    assert [] == await everything(log, EVENTS, 0, start)
