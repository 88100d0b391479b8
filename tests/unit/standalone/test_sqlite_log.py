"""What the SQLite log adds to the contract of every log (tests/contract/test_log.py)."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from services.standalone.storage import log as log_module
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import DAY
from shared.log import LogUnavailableError, Output
from shared.messages.topics import INCARNATION_KEY, TOPICS, TopicName
from tests.unit.standalone.conftest import SetClock


def an_output(value: str, topic: TopicName = "events") -> Output:
    return Output(topic, b"u:c1", value.encode())


def values(log: SqliteLog, topic: TopicName = "events", offset: int = 1) -> list[str]:
    return [(record.value or b"").decode() for record in log.read(topic, 0, offset, 100)]


async def test_offsets_have_no_gap_and_start_at_the_incarnation(log: SqliteLog) -> None:
    await asyncio.gather(*[log.publish([an_output(f"{number}a"), an_output(f"{number}b")]) for number in range(5)])
    records = log.read("events", 0, 0, 100)
    assert list(range(11)) == [record.offset for record in records]
    assert 11 == log.end("events", 0)
    assert [f"{number}{part}" for number in range(5) for part in "ab"] == values(log)


async def test_every_topic_starts_with_its_own_incarnation(tmp_path: Path, clock: SetClock) -> None:
    """A recreated topic is told from the old one; a reopened one is the same."""
    database = Database(tmp_path)
    log = SqliteLog(database, clock)
    first = {topic.name: log.incarnation(topic.name) for topic in TOPICS}
    assert len(TOPICS) == len(set(first.values()))
    for name, incarnation in first.items():
        (record,) = log.read(name, 0, 0, 10)
        assert (0, INCARNATION_KEY, UUID(incarnation).bytes) == (record.offset, record.key, record.value)
        assert 1 == log.end(name, 0)
    await log.publish([an_output("one")])
    await database.close()
    database = Database(tmp_path)
    log = SqliteLog(database, clock)
    assert first == {topic.name: log.incarnation(topic.name) for topic in TOPICS}
    assert ["one"] == values(log)
    await database.close()


async def test_append_time_never_goes_back(log: SqliteLog, clock: SetClock) -> None:
    """Log time orders timers and events, so a clock that is set back stands still instead."""
    for now in (5_000, 3_000, 3_001, 5_001):
        clock.now = now
        await log.publish([an_output(str(now))])
    assert [5_000, 5_000, 5_000, 5_001] == [record.timestamp for record in log.read("events", 0, 1, 10)]


async def test_append_time_never_goes_back_across_a_restart(tmp_path: Path, clock: SetClock) -> None:
    for now in (9_000, 4_000):
        database = Database(tmp_path)
        clock.now = now
        log = SqliteLog(database, clock)
        await log.publish([an_output(str(now))])
        stamps = [record.timestamp for record in log.read("events", 0, 1, 10)]
        await database.close()
    assert [9_000, 9_000] == stamps


async def test_publish_is_all_or_nothing(log: SqliteLog) -> None:
    with pytest.raises(ValueError, match="partition 0 only"):
        await log.publish([an_output("one"), Output("events", None, b"two", partition=1)])
    assert 1 == log.end("events", 0)
    await log.publish([an_output("one"), Output("events", None, None, partition=0), an_output("j", "journal")])
    assert ["one", ""] == values(log)
    assert ["j"] == values(log, "journal")


async def test_publishing_nothing_commits_nothing(log: SqliteLog, database: Database) -> None:
    commits = database.commits
    await log.publish([])
    assert commits == database.commits


async def test_append_joins_the_transaction_of_its_change(log: SqliteLog, database: Database) -> None:
    def bad(connection: sqlite3.Connection) -> None:
        log.append(connection, [an_output("lost")])
        raise LookupError

    results = await asyncio.gather(
        log.publish([an_output("one")]), database.write(bad), log.publish([an_output("two")]), return_exceptions=True
    )
    assert isinstance(results[1], LookupError)
    assert ["one", "two"] == values(log)
    assert [1, 2] == [record.offset for record in log.read("events", 0, 1, 10)]


async def test_read_takes_at_most_its_limit(log: SqliteLog) -> None:
    await log.publish([an_output(str(number)) for number in range(10)])
    assert [3, 4, 5] == [record.offset for record in log.read("events", 0, 3, 3)]
    assert [] == log.read("events", 0, 11, 3)
    with pytest.raises(ValueError, match="partition 0 only"):
        log.read("events", 1, 0, 3)


async def test_a_consumer_is_woken_and_does_not_poll(log: SqliteLog) -> None:
    end = log.end("events", 0)
    waiting = asyncio.create_task(log.wait("events", 0, end))
    later = asyncio.create_task(log.wait("events", 0, end + 1))
    await log.publish([an_output("elsewhere", "journal")])
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.publish([an_output("one")])
    assert await waiting
    assert not later.done()
    await log.publish([an_output("two")])
    assert await later
    assert await log.wait("events", 0, end)
    assert {} == log._waiters


async def test_waiting_ends_at_its_time(log: SqliteLog) -> None:
    assert not await log.wait("events", 0, log.end("events", 0), timeout_ms=1)
    waiting = asyncio.create_task(log.wait("events", 0, log.end("events", 0)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert {} == log._waiters


async def test_what_retention_took_is_not_waited_for_in_vain(log: SqliteLog, clock: SetClock) -> None:
    """It lies before the end and cannot be read: a reader told to read it would ask without a pause."""
    assert 1 == await log.trim("cancels", clock.now + 1, 1)
    assert (1, []) == (log.end("cancels", 0), log.read("cancels", 0, 0, 10))
    assert not await log.wait("cancels", 0, 0, timeout_ms=1)
    waiting = asyncio.create_task(log.wait("cancels", 0, 0))
    await log.publish([an_output("elsewhere", "journal")])
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.publish([an_output("one", "cancels")])
    assert await waiting


async def test_a_failed_publish_wakes_nobody(log: SqliteLog, database: Database) -> None:
    pages = database.write_now(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    database.write_now(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    waiting = asyncio.create_task(log.wait("events", 0, log.end("events", 0)))
    with pytest.raises(LogUnavailableError):
        await log.publish([an_output("x" * 100_000)])
    await asyncio.sleep(0)
    assert not waiting.done()
    await log.publish([an_output("small")])
    assert await waiting


async def test_trim_deletes_a_prefix_and_offsets_go_on(
    log: SqliteLog, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "_TRIM_RECORDS", 3)
    for now in range(2_000, 2_010):
        clock.now = now
        await log.publish([an_output(str(now))])
    incarnation = log.incarnation("events")
    assert 8 == await log.trim("events", 2_007, 11)
    assert ["2007", "2008", "2009"] == values(log, offset=0)
    assert 0 == await log.trim("events", 2_007, 11)
    assert 3 == await log.trim("events", 9_000, 11)
    assert 11 == log.end("events", 0)
    assert incarnation == log.incarnation("events")
    clock.now = 0
    await log.publish([an_output("next")])
    (record,) = log.read("events", 0, 0, 10)
    assert (11, 2_009) == (record.offset, record.timestamp)


async def test_each_topic_keeps_what_its_table_says(log: SqliteLog, clock: SetClock) -> None:
    await log.publish([an_output("e"), an_output("c", "commands"), an_output("d", "journeys")])
    await log.retain(clock.now + 7 * DAY + 1, {})
    assert ["e"] == values(log)
    assert [] == values(log, "commands")
    await log.retain(clock.now + 5_000 * DAY, {})
    assert [] == values(log)
    assert ["d"] == values(log, "journeys")


async def test_retention_leaves_what_a_reader_has_yet_to_read(
    log: SqliteLog, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted means that it is decided on, however long the host was down."""
    monkeypatch.setattr(log_module, "_TRIM_RECORDS", 2)
    await log.publish([an_output(str(number)) for number in range(1, 8)])
    later = clock.now + 5_000 * DAY
    await log.retain(later, {"events": 0})
    assert 0 == log.read("events", 0, 0, 1)[0].offset
    await log.retain(later, {"events": 5})
    assert ["5", "6", "7"] == values(log, offset=0)
    await log.retain(later, {"events": 8})
    assert [] == values(log, offset=0)
