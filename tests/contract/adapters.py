"""Ready-made adapters for the contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import Clock, system_clock
from shared.log import LogRecord
from shared.messages.topics import TopicName


class SqliteLogReader:
    """``SqliteLog`` read as Kafka is read: by awaiting."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        return self._log.read(topic, partition, offset, limit)

    async def end(self, topic: TopicName, partition: int) -> int:
        return self._log.end(topic, partition)


@asynccontextmanager
async def sqlite_log(folder: Path, clock: Clock = system_clock) -> AsyncIterator[tuple[SqliteLog, SqliteLogReader]]:
    """Open the log in ``folder`` as (publisher, reader). Opened again, it holds what was published."""
    database = Database(folder, "process")
    log = SqliteLog(database, clock)
    yield log, SqliteLogReader(log)
    await database.close()
