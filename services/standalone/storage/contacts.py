"""The contacts' rows on SQLite, saved an epoch at a time: rows, meta row and outputs in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from services.standalone.storage.database import Database
from services.standalone.storage.log import PARTITION, SqliteLog, size_of
from shared.log import Output

_SCAN_ROWS = 5000
_HEAD_BYTES = 64  # more than any row's head (services/evaluator/rows.py)

# By name: a folder made before the first release has a column more.
_SAVE = "INSERT INTO contacts (contact, value) VALUES (?, ?) ON CONFLICT (contact) DO UPDATE SET value = excluded.value"


class SqliteContacts:
    """The rows of one partition's contacts. A row's value is the evaluator's own."""

    def __init__(self, database: Database, log: SqliteLog) -> None:
        self._database = database
        self._log = log

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row as last saved, or None."""
        row = self._database.reader.execute("SELECT value FROM contacts WHERE contact = ?", (contact,)).fetchone()
        return None if row is None else row[0]

    def load_meta(self) -> bytes | None:
        """Return the partition's meta row as last saved, or None before the first epoch."""
        row = self._database.reader.execute("SELECT value FROM meta WHERE partition = ?", (PARTITION,)).fetchone()
        return None if row is None else row[0]

    def load_with_meta(self, contact: str) -> tuple[bytes | None, bytes | None]:
        """Return the contact's row and the meta row as one epoch left them; None for what is not there."""
        found = self._database.reader.execute(
            "SELECT (SELECT value FROM contacts WHERE contact = ?), (SELECT value FROM meta WHERE partition = ?)",
            (contact, PARTITION),
        ).fetchone()
        return found[0], found[1]

    async def save(self, rows: Mapping[str, bytes | None], meta: bytes, outputs: Sequence[Output]) -> None:
        """Make an epoch durable, whole or not at all: rows (None deletes), meta row, outputs on their topics.

        Raises LogUnavailableError, and then the epoch may be repeated: look first whether ``load_meta`` has it.
        """
        changed = [(contact, value) for contact, value in rows.items() if value is not None]
        deleted = [(contact,) for contact, value in rows.items() if value is None]

        def epoch(connection: sqlite3.Connection) -> None:
            connection.executemany(_SAVE, changed)
            connection.executemany("DELETE FROM contacts WHERE contact = ?", deleted)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (PARTITION, meta))
            self._log.append(connection, outputs)

        size = sum(len(value) for _, value in changed) + len(meta) + size_of(outputs)
        await self._database.write(epoch, size)

    def scan_heads(self) -> Iterator[tuple[str, bytes]]:
        """Yield (contact, first bytes of its row) of every row, by contact."""
        contact = ""
        while True:
            # Page by page: an open cursor would hold every later read at this moment.
            page = self._database.reader.execute(
                "SELECT contact, substr(value, 1, ?) FROM contacts WHERE contact > ? ORDER BY contact LIMIT ?",
                (_HEAD_BYTES, contact, _SCAN_ROWS),
            ).fetchall()
            yield from page
            if len(page) < _SCAN_ROWS:
                return
            contact = page[-1][0]
