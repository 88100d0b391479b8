"""The rules of the one writer: group commit, one bad change harms itself only, one process per folder."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from services.standalone.storage.database import Change, Database, Durability
from services.standalone.storage.schema import MIGRATIONS
from shared.errors import ConfigurationError
from shared.log import LogUnavailableError


def put(name: str, value: int = 0) -> Change[str]:
    def change(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO cursors VALUES (?, ?)", (name, value))
        return name

    return change


def names(database: Database) -> list[str]:
    return [name for (name,) in database.reader.execute("SELECT name FROM cursors ORDER BY name").fetchall()]


class Plug:
    """A change that holds the writer until it is pulled."""

    def __init__(self) -> None:
        self._pulled = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        assert self._pulled.wait(10)

    def pull(self) -> None:
        self._pulled.set()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("durability", ["full", "process"])
async def test_writes_that_start_together_share_one_commit(tmp_path: Path, durability: Durability) -> None:
    """A slow disk costs a commit for all that wait, not one for each."""
    database = Database(tmp_path, durability)
    written = await asyncio.gather(*[database.write(put(f"{number:03}")) for number in range(100)])
    assert [f"{number:03}" for number in range(100)] == written == names(database)
    assert 1 == database.commits
    await database.close()


async def test_what_arrives_during_a_commit_is_the_next_one(database: Database) -> None:
    plug = Plug()
    first = asyncio.create_task(database.write(plug))
    await turns()
    rest = [asyncio.create_task(database.write(put(f"{number:03}"))) for number in range(100)]
    await turns()
    assert 100 == database.waiting
    assert 0 == database.commits
    plug.pull()
    await asyncio.gather(first, *rest)
    assert 2 == database.commits
    assert 0 == database.waiting


async def test_changes_run_in_the_order_of_the_calls(database: Database) -> None:
    order: list[int] = []

    def note(number: int) -> Change[None]:
        return lambda _: order.append(number)

    await asyncio.gather(*[database.write(note(number)) for number in range(50)])
    assert list(range(50)) == order


async def test_a_change_that_raises_fails_alone(database: Database) -> None:
    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO cursors VALUES ('bad', 0)")
        raise LookupError("mine")

    results = await asyncio.gather(
        database.write(put("before")), database.write(bad), database.write(put("after")), return_exceptions=True
    )
    assert "before" == results[0]
    assert isinstance(results[1], LookupError)
    assert "after" == results[2]
    assert ["after", "before"] == names(database)
    assert 1 == database.commits


@pytest.mark.parametrize(
    "statement", ["INSERT INTO cursors VALUES ('before', 0)", "INSERT INTO nowhere VALUES (1)", "SELECT ?"]
)
async def test_a_statement_at_fault_fails_alone(database: Database, statement: str) -> None:
    """A broken constraint, an unknown table or a missing parameter is the change's own fault, not the disk's."""
    results = await asyncio.gather(
        database.write(put("before")),
        database.write(lambda connection: connection.execute(statement)),
        database.write(put("after")),
        return_exceptions=True,
    )
    assert isinstance(results[1], sqlite3.Error)
    assert ["after", "before"] == names(database)


async def test_a_full_disk_fails_the_batch_and_the_next_may_succeed(database: Database) -> None:
    """Nobody is told that something is durable which is not; who was refused may repeat."""
    pages = database.write_now(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    database.write_now(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 4}").fetchone())

    def large(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES (0, zeroblob(100000))")

    commits = database.commits
    results = await asyncio.gather(database.write(put("small")), database.write(large), return_exceptions=True)
    assert [LogUnavailableError, LogUnavailableError] == [type(result) for result in results]
    assert "full" in str(results[0])
    assert [] == names(database)
    assert commits == database.commits
    await database.write(put("small"))
    assert ["small"] == names(database)


async def test_a_batch_is_bounded_in_count_and_bytes(tmp_path: Path) -> None:
    """A flood waits in turn: no commit grows beyond what its members can wait for."""
    database = Database(tmp_path, "process", batch_changes=10, batch_bytes=1_000)
    await asyncio.gather(*[database.write(put(f"{number:03}")) for number in range(25)])
    assert 3 == database.commits
    await asyncio.gather(*[database.write(put(f"b{number:03}"), 400) for number in range(5)])
    assert 6 == database.commits
    await database.write(put("larger than a batch"), 5_000)
    assert 7 == database.commits
    await database.close()


async def test_a_cancelled_write_leaves_the_others_alone(database: Database) -> None:
    plug = Plug()
    tasks = [asyncio.create_task(database.write(change)) for change in (plug, put("one"), put("two"))]
    await turns()
    tasks[1].cancel()
    plug.pull()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert "two" == results[2]


async def test_closing_commits_what_waits_and_refuses_the_rest(tmp_path: Path) -> None:
    database = Database(tmp_path)
    plug = Plug()
    tasks = [asyncio.create_task(database.write(change)) for change in (plug, put("one"))]
    await turns()
    tasks.append(asyncio.create_task(database.write(put("two"))))
    await turns()
    closing = asyncio.create_task(database.close())
    await turns()
    with pytest.raises(LogUnavailableError, match="closed"):
        await database.write(put("late"))
    plug.pull()
    await closing
    await database.close()
    assert [None, "one", "two"] == await asyncio.gather(*tasks)
    again = Database(tmp_path)
    assert ["one", "two"] == names(again)
    await again.close()


async def test_listeners_hear_of_each_batch(database: Database) -> None:
    heard: list[list[str]] = []
    database.on_commit(lambda: heard.append(names(database)))
    await database.write(put("one"))
    await database.write(put("two"))
    assert [["one"], ["one", "two"]] == heard


async def test_a_start_up_write_blocks_until_it_is_durable(database: Database) -> None:
    assert "one" == database.write_now(put("one"))
    assert ["one"] == names(database)
    with pytest.raises(sqlite3.IntegrityError):
        database.write_now(put("one"))


async def test_a_folder_has_one_user_at_a_time(database: Database) -> None:
    """A second process would decide everything twice."""
    with pytest.raises(ConfigurationError, match=f"another kikkake uses {database.folder}"):
        Database(database.folder)
    program = (
        "import sys, pathlib\n"
        "from services.standalone.storage.database import Database\n"
        "from shared.errors import ConfigurationError\n"
        "try:\n    Database(pathlib.Path(sys.argv[1]))\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(database.folder), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await other.communicate()
    assert f"another kikkake uses {database.folder}; name another folder with --data\n" == said.decode()
    await database.write(put("still ours"))


async def test_a_closed_folder_is_free_again(tmp_path: Path) -> None:
    for name in ("one", "two"):
        database = Database(tmp_path)
        await database.write(put(name))
        await database.close()
    database = Database(tmp_path)
    assert ["one", "two"] == names(database)
    await database.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    newer = len(MIGRATIONS) + 1
    path = tmp_path / "kikkake.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=f"written by a newer kikkake .schema {newer}"):
            Database(tmp_path)
    connection = sqlite3.connect(path)
    assert (newer,) == connection.execute("PRAGMA user_version").fetchone()
    assert [] == connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kikkake.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(ConfigurationError, match=r"cannot open .*not a database"):
        Database(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot use"):
        Database(tmp_path / "file" / "data")


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("process", 1)])
async def test_durability_says_whether_a_commit_is_synced(
    tmp_path: Path, durability: Durability, synchronous: int
) -> None:
    """FULL syncs at each commit; NORMAL survives the process, not the machine."""
    database = Database(tmp_path, durability)
    found = await database.write(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0])
    assert synchronous == found
    assert "wal" == database.reader.execute("PRAGMA journal_mode").fetchone()[0]
    await database.close()


async def test_the_reader_cannot_write(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.reader.execute("INSERT INTO cursors VALUES ('x', 1)")


async def test_the_data_folder_is_private(tmp_path: Path) -> None:
    """What is in it is personal data."""
    database = Database(tmp_path / "deep" / "data")
    await database.write(put("one"))
    assert 0o700 == database.folder.stat().st_mode & 0o777
    files = {path.name: path.stat().st_mode & 0o777 for path in database.folder.iterdir()}
    assert dict.fromkeys(["lock", "kikkake.db", "kikkake.db-wal", "kikkake.db-shm"], 0o600) == files
    await database.close()
