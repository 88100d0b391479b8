"""The tables of the SQLite file, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from shared.errors import ConfigurationError

# One tuple of statements per schema version. A released tuple is never edited: a change is a new tuple.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # The records themselves are one table per topic and partition (log.py): appended at their right edge only.
        """CREATE TABLE topics (
            topic TEXT NOT NULL, partition INTEGER NOT NULL, incarnation BLOB NOT NULL,
            next_offset INTEGER NOT NULL, last_timestamp INTEGER NOT NULL,
            PRIMARY KEY (topic, partition)) WITHOUT ROWID""",
        "CREATE TABLE contacts (contact TEXT PRIMARY KEY, value BLOB NOT NULL)",
        "CREATE TABLE meta (partition INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        """CREATE TABLE deliveries (
            command_id TEXT PRIMARY KEY, status TEXT NOT NULL, open INTEGER NOT NULL, at INTEGER NOT NULL,
            retry_at INTEGER, clock TEXT NOT NULL, value BLOB NOT NULL)""",
        "CREATE INDEX deliveries_open ON deliveries (command_id) WHERE open",
        "CREATE INDEX deliveries_closed ON deliveries (at) WHERE NOT open",
        "CREATE TABLE cursors (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    ),
)


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file at ``path`` to this release's schema, in one transaction.

    Raises ConfigurationError when a newer release wrote the file: nothing is changed then.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"{path} was written by a newer kikkake (schema {version}; this release knows {len(MIGRATIONS)})"
        )
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")
