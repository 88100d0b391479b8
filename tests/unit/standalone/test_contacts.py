"""What SqliteContacts adds to the contract of every contact store (tests/contract/test_contact_store.py)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.standalone.storage import contacts as contacts_module
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.log import LogUnavailableError, Output
from tests.unit.standalone.conftest import SetClock


def a_row(due: int, rest: bytes = b"row") -> bytes:
    return due.to_bytes(8, "big") + rest


@pytest.fixture
def contacts(database: Database, log: SqliteLog) -> SqliteContacts:
    return SqliteContacts(database, log)


async def test_an_epoch_is_one_commit(contacts: SqliteContacts, database: Database) -> None:
    commits = database.commits
    rows = {f"u:{number}": a_row(number) for number in range(500)}
    await contacts.save(rows, b"meta", [Output("journal", b"k", b"v")] * 500)
    assert 1 == database.commits - commits
    assert sorted(rows.items()) == list(contacts.scan_heads())


async def test_an_epoch_shares_its_commit_with_what_else_waits(
    contacts: SqliteContacts, database: Database, log: SqliteLog
) -> None:
    commits = database.commits
    await asyncio.gather(log.publish([Output("events", b"k", b"event")]), contacts.save({"u:1": a_row(1)}, b"meta", []))
    assert 1 == database.commits - commits


async def test_an_epoch_that_the_disk_refuses_leaves_nothing(
    contacts: SqliteContacts, database: Database, log: SqliteLog
) -> None:
    """Rows, meta row and outputs agree also when it fails half-way."""
    await contacts.save({"u:1": a_row(1)}, b"before", [])
    pages = database.write_now(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    database.write_now(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    with pytest.raises(LogUnavailableError):
        await contacts.save({"u:1": None, "u:2": a_row(2)}, b"after", [Output("journal", b"k", b"x" * 100_000)])
    assert a_row(1) == contacts.load("u:1")
    assert contacts.load("u:2") is None
    assert b"before" == contacts.load_meta()
    assert 1 == log.end("journal", 0)


async def test_a_row_is_read_with_the_meta_row_of_the_same_epoch(contacts: SqliteContacts) -> None:
    assert (None, None) == contacts.load_with_meta("u:1")
    await contacts.save({"u:1": a_row(1)}, b"one", [])
    assert (a_row(1), b"one") == contacts.load_with_meta("u:1")
    assert (None, b"one") == contacts.load_with_meta("u:2")


async def test_reads_never_mix_two_epochs_while_they_are_written(contacts: SqliteContacts) -> None:
    """The writer commits on its own thread, between any two statements of the reader."""
    seen: set[tuple[bytes | None, bytes | None]] = set()
    for number in range(100):
        saving = asyncio.create_task(contacts.save({"u:1": a_row(number)}, b"%d" % number, []))
        while not saving.done():
            seen.add(contacts.load_with_meta("u:1"))
            await asyncio.sleep(0)
    assert len(seen) > 10
    assert seen <= {(None, None), *((a_row(number), b"%d" % number) for number in range(100))}


async def test_heads_are_read_page_by_page(contacts: SqliteContacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contacts_module, "_SCAN_ROWS", 3)
    rows = {f"u:{number:02}": a_row(number) for number in range(12)}
    await contacts.save(rows, b"meta", [])
    assert list(rows.items()) == list(contacts.scan_heads())


async def test_a_scan_under_way_holds_no_later_read_back(
    contacts: SqliteContacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open cursor would show every later read an old moment."""
    monkeypatch.setattr(contacts_module, "_SCAN_ROWS", 2)
    await contacts.save({f"u:{number}": a_row(number) for number in range(5)}, b"one", [])
    scan = contacts.scan_heads()
    assert ("u:0", a_row(0)) == next(scan)
    await contacts.save({}, b"two", [])
    assert b"two" == contacts.load_meta()


async def test_a_folder_with_the_column_of_old_is_gone_on_with(tmp_path: Path, clock: SetClock) -> None:
    """Folders made before the first release have ``next_due`` beside each contact's row, which nobody reads."""
    database = Database(tmp_path, "process")
    database.write_now(lambda connection: connection.execute("ALTER TABLE contacts ADD COLUMN next_due INTEGER"))
    contacts = SqliteContacts(database, SqliteLog(database, clock))
    await contacts.save({"u:1": a_row(1), "u:2": a_row(2)}, b"one", [])
    await contacts.save({"u:1": a_row(3), "u:2": None}, b"two", [])
    assert [("u:1", a_row(3))] == list(contacts.scan_heads())
    await database.close()
