"""The log on SQLite: one table per topic, whose row id is the offset."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from services.standalone.storage.database import Database
from shared.clock import Clock
from shared.log import LogRecord, Output
from shared.messages.topics import INCARNATION_KEY, TOPICS, TopicName

PARTITION = 0

# Deleted per transaction: some ten milliseconds of the one writer, so that nobody waits for the retention.
_TRIM_RECORDS = 5000


def _random_incarnation() -> bytes:
    return UUID(bytes=os.urandom(16), version=4).bytes


class SqliteLog:
    """The topics of the standalone host, one partition each; a ``shared.log.Publisher``.

    A missing topic is created at once, with its incarnation record at offset 0. ``clock`` (journey time) stamps the
    records of every topic and is read on the writer's thread. Whatever it does, a topic's timestamps never go back.
    """

    def __init__(
        self, database: Database, clock: Clock, new_incarnation: Callable[[], bytes] = _random_incarnation
    ) -> None:
        self._database = database
        self._clock = clock
        self._waiters: dict[asyncio.Future[None], tuple[TopicName, int]] = {}
        database.write_now(lambda connection: _create_topics(connection, clock(), new_incarnation))
        database.on_commit(self._wake)

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Return once ``outputs`` are durable, in order; all of them or none. Raises LogUnavailableError."""
        if outputs:
            await self._database.write(lambda connection: self.append(connection, outputs), size_of(outputs))

    def append(self, connection: sqlite3.Connection, outputs: Iterable[Output]) -> None:
        """Append ``outputs`` inside the caller's own change. Raises ValueError for any partition but 0."""
        now = self._clock()
        by_topic: dict[TopicName, list[Output]] = {}
        for output in outputs:
            if output.partition is not None:
                _require_partition(output.partition)
            by_topic.setdefault(output.topic, []).append(output)
        for topic, batch in by_topic.items():
            _append(connection, topic, batch, now)

    def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return up to ``limit`` records from ``offset`` on, fewer at the end. What was trimmed is passed over."""
        _require_partition(partition)
        rows = self._database.reader.execute(
            f"SELECT * FROM {table_of(topic)} WHERE offset >= ? ORDER BY offset LIMIT ?",  # noqa: S608 - our own name
            (offset, limit),
        ).fetchall()
        return [LogRecord(offset, timestamp, key, value) for offset, timestamp, key, value in rows]

    def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the next record gets."""
        _require_partition(partition)
        return self._ends()[topic]

    def incarnation(self, topic: TopicName) -> str:
        """Return the random id given to ``topic`` when it was created: record 0, also when that was trimmed."""
        row = self._database.reader.execute("SELECT incarnation FROM topics WHERE topic = ?", (topic,)).fetchone()
        return str(UUID(bytes=row[0]))

    async def wait(self, topic: TopicName, partition: int, offset: int, timeout_ms: int | None = None) -> bool:
        """Return True as soon as ``read`` gives a record from ``offset`` on; False after ``timeout_ms`` machine time.

        What was trimmed is before the log's end and still cannot be read, so the end does not tell.
        """
        _require_partition(partition)
        if self._readable(topic, offset):
            return True
        # No turn of the loop passes between the look above and the entry below, so no commit is missed.
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = (topic, offset)
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                await waiter
        except TimeoutError:
            return False
        finally:
            del self._waiters[waiter]
        return True

    async def trim(self, topic: TopicName, before_ms: int, before_offset: int) -> int:
        """Delete what is older than ``before_ms`` and below ``before_offset``; return how many. Offsets go on."""
        total = 0
        while True:
            deleted = await self._database.write(lambda connection: _trim(connection, topic, before_ms, before_offset))
            total += deleted
            if deleted < _TRIM_RECORDS:
                return total

    async def retain(self, now: int, read: Mapping[TopicName, int]) -> int:
        """Trim each topic to its retention in the table of topics; return how many records went.

        ``read`` names the offset that a topic's reader goes on at after a crash: from there on all is kept, however
        old. A topic without one is read by nobody who must not miss anything.
        """
        kept = [(topic.name, topic.retention) for topic in TOPICS if topic.retention is not None]
        ends = self._ends()
        return sum([await self.trim(topic, now - retention, read.get(topic, ends[topic])) for topic, retention in kept])

    def _ends(self) -> dict[TopicName, int]:
        return dict(self._database.reader.execute("SELECT topic, next_offset FROM topics").fetchall())

    def _wake(self) -> None:
        if not self._waiters:
            return
        for waiter, (topic, offset) in self._waiters.items():
            if not waiter.done() and self._readable(topic, offset):
                waiter.set_result(None)

    def _readable(self, topic: TopicName, offset: int) -> bool:
        found = self._database.reader.execute(
            f"SELECT EXISTS (SELECT 1 FROM {table_of(topic)} WHERE offset >= ?)",  # noqa: S608 - our own name
            (offset,),
        ).fetchone()
        return bool(found[0])


def size_of(outputs: Iterable[Output]) -> int:
    """Return the bytes of ``outputs``, for ``Database.write``."""
    return sum(len(output.key or b"") + len(output.value or b"") for output in outputs)


def _create_topics(connection: sqlite3.Connection, now: int, new_incarnation: Callable[[], bytes]) -> None:
    there = {name for (name,) in connection.execute("SELECT topic FROM topics").fetchall()}
    for topic in TOPICS:
        if topic.name in there:
            continue
        incarnation = new_incarnation()
        connection.execute(
            f"CREATE TABLE {table_of(topic.name)} "
            "(offset INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key BLOB, value BLOB)"
        )
        connection.execute("INSERT INTO topics VALUES (?, ?, ?, 0, 0)", (topic.name, PARTITION, incarnation))
        _append(connection, topic.name, [Output(topic.name, INCARNATION_KEY, incarnation)], now)


def _append(connection: sqlite3.Connection, topic: TopicName, outputs: list[Output], now: int) -> None:
    offset, last = connection.execute(
        "SELECT next_offset, last_timestamp FROM topics WHERE topic = ? AND partition = ?", (topic, PARTITION)
    ).fetchone()
    timestamp = max(now, last)
    connection.executemany(
        f"INSERT INTO {table_of(topic)} VALUES (?, ?, ?, ?)",  # noqa: S608 - our own name
        [(offset + index, timestamp, output.key, output.value) for index, output in enumerate(outputs)],
    )
    connection.execute(
        "UPDATE topics SET next_offset = ?, last_timestamp = ? WHERE topic = ? AND partition = ?",
        (offset + len(outputs), timestamp, topic, PARTITION),
    )


def _trim(connection: sqlite3.Connection, topic: TopicName, before_ms: int, before_offset: int) -> int:
    table = table_of(topic)
    # Timestamps never go back, so what is too old is a prefix.
    return connection.execute(
        f"DELETE FROM {table} WHERE offset <= (SELECT max(offset) FROM "  # noqa: S608 - our own name
        f"(SELECT offset, timestamp FROM {table} ORDER BY offset LIMIT ?) WHERE timestamp < ? AND offset < ?)",
        (_TRIM_RECORDS, before_ms, before_offset),
    ).rowcount


def table_of(topic: TopicName) -> str:
    """Return the table that holds ``topic``, quoted."""
    return f'"log:{topic}:{PARTITION}"'


def _require_partition(partition: int) -> None:
    if partition != PARTITION:
        raise ValueError(f"the standalone log has partition {PARTITION} only, not {partition}")
