"""The dispatcher's truth on SQLite: how far each command has come, and how far its consumers have read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog, size_of
from shared.log import Output
from shared.messages import codec
from shared.messages.delivery import Delivery

_SCAN_ROWS = 1000
_TRIM_ROWS = 5000


class SqliteDeliveries:
    """One row per command, and named cursors that move in the same transaction."""

    waiting = 0
    """Rows kept in memory: they are read from the file each time."""

    def __init__(self, database: Database, log: SqliteLog) -> None:
        self._database = database
        self._log = log

    def get(self, command_id: str) -> Delivery | None:
        """Return the command's row as last put, or None."""
        row = self._database.reader.execute(
            "SELECT value FROM deliveries WHERE command_id = ?", (command_id,)
        ).fetchone()
        return None if row is None else codec.DELIVERIES.decode(row[0])

    async def put(
        self,
        deliveries: Sequence[Delivery],
        outputs: Sequence[Output] = (),
        cursors: Mapping[str, int] | None = None,
    ) -> None:
        """Make rows, ``outputs`` (the outcome events) and ``cursors`` durable, all or none.

        Raises LogUnavailableError, and then it may be repeated: readers drop outcomes that they have seen.
        """
        rows = [_row(delivery) for delivery in deliveries]
        moved = list((cursors or {}).items())

        def step(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", moved)
            self._log.append(connection, outputs)

        await self._database.write(step, sum(len(row[-1]) for row in rows) + size_of(outputs))

    async def load(self, command_ids: Sequence[str]) -> list[Delivery]:
        """Return the ``deferred`` rows among those of ``command_ids``."""
        rows = map(self.get, command_ids)
        return [row for row in rows if row is not None and row.status == "deferred"]

    def open(self) -> Iterator[Delivery]:
        """Yield what a new owner must go on with (``is_open``), by command id."""
        last = ""
        while True:
            # Page by page: an open cursor would hold every later read at this moment.
            page = self._database.reader.execute(
                "SELECT command_id, value FROM deliveries WHERE open AND command_id > ? ORDER BY command_id LIMIT ?",
                (last, _SCAN_ROWS),
            ).fetchall()
            for last, value in page:  # noqa: B007 - the last one is where the next page starts
                yield codec.DELIVERIES.decode(value)
            if len(page) < _SCAN_ROWS:
                return

    def cursor(self, name: str) -> int:
        """Return the cursor as last put, 0 at first."""
        row = self._database.reader.execute("SELECT value FROM cursors WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    async def trim(self, before_ms: int) -> int:
        """Delete final rows whose ``at`` is before ``before_ms``; return how many. An open row stays."""
        total = 0
        while True:
            deleted = await self._database.write(lambda connection: _trim(connection, before_ms))
            total += deleted
            if deleted < _TRIM_ROWS:
                return total


def _row(put: Delivery) -> tuple[str, str, bool, int, int | None, str, bytes]:
    return put.command_id, put.status, is_open(put), put.at, put.retry_at, put.clock, codec.encode(put)


def is_open(delivery: Delivery) -> bool:
    """Return whether something is still to be done: to send, to resolve, or an outcome to report."""
    return delivery.status in {"deferred", "sending", "settled"} or (
        delivery.status == "cancelled" and delivery.outcome is not None
    )


def _trim(connection: sqlite3.Connection, before_ms: int) -> int:
    return connection.execute(
        "DELETE FROM deliveries WHERE command_id IN "
        "(SELECT command_id FROM deliveries WHERE NOT open AND at < ? LIMIT ?)",
        (before_ms, _TRIM_ROWS),
    ).rowcount
