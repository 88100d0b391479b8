"""A snapshot of a data folder: one moment, nothing changed, whoever writes meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.standalone.storage.database import FILE_NAME, Database
from services.standalone.storage.log import SqliteLog
from services.standalone.storage.snapshot import open_snapshot
from shared.errors import ConfigurationError
from shared.log import Output


async def test_it_is_one_moment_of_every_topic(tmp_path: Path, database: Database, log: SqliteLog) -> None:
    outputs = [Output("events", b"u:c1", b"x"), Output("journal", None, None)]
    await log.publish(outputs)
    with open_snapshot(tmp_path) as snapshot:
        before = [list(snapshot.read("events")), list(snapshot.read("journal"))]
        await log.publish(outputs)
        assert before == [list(snapshot.read("events")), list(snapshot.read("journal"))]
    assert before == [log.read("events", 0, 0, 2), log.read("journal", 0, 0, 2)]
    with open_snapshot(tmp_path) as snapshot:
        assert 3 == len(list(snapshot.read("events")))


async def test_a_topic_of_a_later_release_is_empty(tmp_path: Path, database: Database, log: SqliteLog) -> None:
    await database.write(lambda connection: connection.execute("DELETE FROM topics WHERE topic = 'cancels'"))
    with open_snapshot(tmp_path) as snapshot:
        assert [] == list(snapshot.read("cancels"))


def test_a_folder_without_a_file_is_not_made_one(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"there is no .*kikkake\.db; name the folder"),
        open_snapshot(tmp_path),
    ):
        pass
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("version", [0, 99])
def test_a_file_of_another_release_is_named(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with (
        pytest.raises(ConfigurationError, match=f"has schema {version} and this release reads 1"),
        open_snapshot(tmp_path),
    ):
        pass


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"nonsense" * 1000)
    with pytest.raises(ConfigurationError, match=r"cannot read .*: file is not a database"), open_snapshot(tmp_path):
        pass
