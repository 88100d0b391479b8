"""The contacts' rows on SQLite, saved an epoch at a time: rows, meta row and outputs in one transaction."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence

from services.standalone.storage.database import Database
from services.standalone.storage.log import PARTITION, SqliteLog, size_of
from shared.log import Output

NO_TIMER = 2**64 - 1
_NEXT_DUE = struct.Struct(">Q")
_SCAN_ROWS = 5000
_HEAD_BYTES = 64  # more than any row's head (services/evaluator/rows.py)

_SAVE = (
    "INSERT INTO contacts VALUES (?, ?, ?) "
    "ON CONFLICT (contact) DO UPDATE SET next_due = excluded.next_due, value = excluded.value"
)


class SqliteContacts:
    """The rows of one partition's contacts.

    A row's value is the evaluator's own, but for its first 8 bytes: when its next timer is due, in ms,
    big-endian unsigned; ``NO_TIMER`` when none is set.
    """

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

    async def save(self, rows: Mapping[str, bytes | None], meta: bytes, outputs: Sequence[Output]) -> None:
        """Make an epoch durable, whole or not at all: rows (None deletes), meta row, outputs on their topics.

        Raises LogUnavailableError, and then the epoch may be repeated: look first whether ``load_meta`` has it.
        Raises ValueError when a row is shorter than its due time.
        """
        changed = [(contact, _next_due(value), value) for contact, value in rows.items() if value is not None]
        deleted = [(contact,) for contact, value in rows.items() if value is None]

        def epoch(connection: sqlite3.Connection) -> None:
            connection.executemany(_SAVE, changed)
            connection.executemany("DELETE FROM contacts WHERE contact = ?", deleted)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (PARTITION, meta))
            self._log.append(connection, outputs)

        size = sum(len(value) for _, _, value in changed) + len(meta) + size_of(outputs)
        await self._database.write(epoch, size)

    def scan_due(self) -> Iterator[tuple[str, int]]:
        """Yield (contact, due time) of each row that has a timer, the earliest first."""
        due, contact = -1, ""
        while True:
            # Page by page: an open cursor would hold every later read at this moment.
            page = self._database.reader.execute(
                "SELECT contact, next_due FROM contacts WHERE next_due IS NOT NULL "
                "AND (next_due, contact) > (?, ?) ORDER BY next_due, contact LIMIT ?",
                (due, contact, _SCAN_ROWS),
            ).fetchall()
            yield from page
            if len(page) < _SCAN_ROWS:
                return
            contact, due = page[-1]

    def scan_heads(self) -> Iterator[tuple[str, bytes]]:
        """Yield (contact, first bytes of its row) of every row, by contact."""
        contact = ""
        while True:
            page = self._database.reader.execute(
                "SELECT contact, substr(value, 1, ?) FROM contacts WHERE contact > ? ORDER BY contact LIMIT ?",
                (_HEAD_BYTES, contact, _SCAN_ROWS),
            ).fetchall()
            yield from page
            if len(page) < _SCAN_ROWS:
                return
            contact = page[-1][0]

    def count(self) -> int:
        """Return how many rows there are. Reads a whole index: not for each request."""
        return int(self._database.reader.execute("SELECT count(*) FROM contacts").fetchone()[0])


def _next_due(value: bytes) -> int | None:
    if len(value) < _NEXT_DUE.size:
        raise ValueError("a contact's row starts with 8 bytes: when its next timer is due")
    due: int = _NEXT_DUE.unpack_from(value)[0]
    return None if due == NO_TIMER else due
