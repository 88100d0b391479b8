"""Reads the topics of a data folder as they are at one moment, whether its process runs, has stopped or was killed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from services.standalone.storage.database import FILE_NAME
from services.standalone.storage.log import table_of
from services.standalone.storage.schema import MIGRATIONS
from shared.errors import ConfigurationError
from shared.log import LogRecord
from shared.messages.topics import TopicName


class Snapshot:
    """One moment of a folder's topics, each of which has the one partition 0."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """``connection`` is inside the transaction that stands for the moment."""
        self._connection = connection

    def read(self, topic: TopicName) -> Iterator[LogRecord]:
        """Yield the topic's records in offset order; none for a topic that the folder does not have yet."""
        if self._connection.execute("SELECT 1 FROM topics WHERE topic = ?", (topic,)).fetchone() is None:
            return
        rows = self._connection.execute(f"SELECT * FROM {table_of(topic)} ORDER BY offset")  # noqa: S608 - our own name
        for offset, timestamp, key, value in rows:
            yield LogRecord(offset, timestamp, key, value)


@contextmanager
def open_snapshot(folder: Path) -> Iterator[Snapshot]:
    """Give the folder's topics for the length of the block, and change nothing. Raises ConfigurationError."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ConfigurationError(f"there is no {path}; name the folder that `kikkake dev --data` uses")
    try:
        # Read-only and without the folder's lock: the process that writes goes on meanwhile.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as opened:
            opened.execute("BEGIN")
            version: int = opened.execute("PRAGMA user_version").fetchone()[0]
            if version != len(MIGRATIONS):
                raise ConfigurationError(
                    f"{path} has schema {version} and this release reads {len(MIGRATIONS)}: "
                    "run `kikkake dev` of this release on it first, or take the release that wrote it"
                )
            yield Snapshot(opened)
    except sqlite3.Error as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
