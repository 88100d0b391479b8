"""The log of the file for those who read by position and wait for nothing (``services.ingest.dead_letters``)."""

from __future__ import annotations

from services.standalone.storage.log import SqliteLog
from shared.log import LogRecord
from shared.messages.topics import TopicName


class LogReading:
    """Short reads on the loop's thread; the writer is on a thread of its own."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    async def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the next record gets."""
        return self._log.end(topic, partition)

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return at most ``limit`` records from ``offset`` on."""
        return self._log.read(topic, partition, offset, limit)
