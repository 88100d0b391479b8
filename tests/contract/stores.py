"""The stores that the contract suite of ``ContactStore`` opens; one opened again holds what the first left."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.partition import PartitionChangelog, open_partition
from services.evaluator.changelog.ports import FencedError, Writer
from services.evaluator.changelog.rows import MemoryRows, Rows
from services.evaluator.changelog.writer import ChangelogWriter
from services.evaluator.epoch import ContactStore
from services.evaluator.runner import EpochSaver
from services.standalone.evaluation import SqliteEpochs
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogReader, Publisher
from shared.messages.topics import TopicName
from shared.settings import KafkaSettings
from tests.fakes import MemoryChangelog, MemoryEpochs, MemoryLog


class Store(ContactStore, EpochSaver, Protocol):
    """What a host gives to the processor and its runner."""


class Opened(NamedTuple):
    """An open store of ``partition``, and how to read the values that its epochs appended to a topic."""

    store: Store
    appended: Callable[[TopicName], Awaitable[list[bytes | None]]]
    partition: int = 0


OpenStore = Callable[[], AbstractAsyncContextManager[Opened]]


# ---- the adapters -------------------------------------------------------------------------------------------------


def memory(_: pytest.FixtureRequest) -> OpenStore:
    store = MemoryEpochs()

    async def appended(topic: TopicName) -> list[bytes | None]:
        return [output.value for output in store.outputs if output.topic == topic]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        yield Opened(store, appended)

    return opened


def sqlite(request: pytest.FixtureRequest) -> OpenStore:
    folder: Path = request.getfixturevalue("tmp_path")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        database = Database(folder, "process")
        log = SqliteLog(database, system_clock)

        async def appended(topic: TopicName) -> list[bytes | None]:
            return [record.value for record in log.read(topic, 0, 1, 1_000)]

        yield Opened(SqliteEpochs(SqliteContacts(database, log)), appended)
        await database.close()

    return opened


owners = itertools.count()


async def changelog(
    partition: int, reader: LogReader, writer: Writer, publisher: Publisher, rows: Rows | None = None
) -> PartitionChangelog:
    return await open_partition(
        partition,
        owner=f"owner-{next(owners)}",
        reader=reader,
        writer=writer,
        publisher=publisher,
        may_act=lambda: True,
        rows=rows or MemoryRows(),
    )


def memory_changelog(_: pytest.FixtureRequest) -> OpenStore:
    return changelog_in_memory(MemoryRows)


def disk_changelog(request: pytest.FixtureRequest) -> OpenStore:
    folder = StateFolder(request.getfixturevalue("tmp_path"))
    return changelog_in_memory(lambda: folder.open(0))


def changelog_in_memory(open_rows: Callable[[], Rows]) -> OpenStore:
    records, topics = MemoryChangelog(), MemoryLog()

    async def appended(topic: TopicName) -> list[bytes | None]:
        return [record.value for record in await topics.read(topic, 0, 0, 1_000)]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        rows = open_rows()
        store = await changelog(0, records, records, topics, rows)
        yield Opened(store, appended)
        await store.close()
        rows.close()

    return opened


def kafka(request: pytest.FixtureRequest) -> OpenStore:
    return changelog_on_kafka(request, MemoryRows)


def kafka_disk(request: pytest.FixtureRequest) -> OpenStore:
    folder = StateFolder(request.getfixturevalue("tmp_path"))
    return changelog_on_kafka(request, lambda: folder.open(0))


def changelog_on_kafka(request: pytest.FixtureRequest, open_rows: Callable[[], Rows]) -> OpenStore:
    settings: KafkaSettings = request.getfixturevalue("kafka_topics")
    partition: int = request.getfixturevalue("a_partition")
    bootstrap, prefix = settings.kafka_bootstrap, settings.topic_prefix

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        reader = KafkaLogReader(bootstrap, prefix=prefix)
        writer = ChangelogWriter(bootstrap, prefix=prefix, clock=system_clock)
        publisher = KafkaPublisher(bootstrap, prefix=prefix, partitions=settings.partitions)
        await writer.start()
        await publisher.start()

        async def appended(topic: TopicName) -> list[bytes | None]:
            # The partition's first record is its incarnation.
            return [record.value async for batch in reader.read_all(topic, partition, 1) for record in batch]

        rows = open_rows()
        store = await changelog(partition, reader, writer, publisher, rows)
        yield Opened(store, appended, partition)
        with contextlib.suppress(FencedError):  # another has the partition meanwhile
            await store.close()
        rows.close()
        await publisher.stop()
        await writer.stop()

    return opened
