"""What was acknowledged survives kill -9 at any moment, and what was one change is there whole or not at all."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import defaultdict
from pathlib import Path

import msgspec
import pytest

from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database, Durability
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from tests.integration.sqlite_writer import Meta, apply

KILLS = 20

pytestmark = pytest.mark.integration


async def run_and_kill(folder: Path, durability: Durability, acknowledgements: int) -> list[str]:
    """Start the writer, kill it after that many lines, and return all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.sqlite_writer", str(folder), durability),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        said = [await process.stdout.readline() for _ in range(acknowledgements + 1)]
    finally:
        process.kill()
    said += (await process.stdout.read()).splitlines()
    assert -9 == await process.wait()
    return [line.decode().strip() for line in said]


async def check(folder: Path, said: list[str]) -> int:
    """Assert that the folder holds what was acknowledged, in order and whole; return how many events it holds."""
    database = Database(folder)
    log = SqliteLog(database, system_clock)
    contacts = SqliteContacts(database, log)
    assert "ok" == database.reader.execute("PRAGMA integrity_check").fetchone()[0]
    events = log.read("events", 0, 0, 10**9)
    assert list(range(log.end("events", 0))) == [record.offset for record in events]
    assert sorted(record.timestamp for record in events) == [record.timestamp for record in events]

    lanes: dict[str, list[int]] = defaultdict(list)
    for record in events[1:]:
        lane, number = (record.value or b"").decode().split(":")
        lanes[lane].append(int(number))
    for lane, numbers in lanes.items():
        assert list(range(len(numbers))) == numbers, f"lane {lane}"
    acknowledged = {line.removeprefix("event ") for line in said if line.startswith("event ")}
    assert set() == acknowledged - {(record.value or b"").decode() for record in events[1:]}

    meta = msgspec.json.decode(contacts.load_meta() or b"{}", type=Meta)
    epochs = [int(line.removeprefix("epoch ")) for line in said if line.startswith("epoch ")]
    assert max(epochs, default=0) <= meta.epoch
    rows: dict[str, bytes] = {}
    outputs = apply(rows, None, events[1 : meta.next_offset])
    assert [output.value for output in outputs] == [record.value for record in log.read("journal", 0, 1, 10**9)]
    assert rows == {contact: contacts.load(contact) for contact in rows}
    assert rows == dict(contacts.scan_heads())
    await database.close()
    return len(events) - 1


@pytest.mark.parametrize("durability", ["full", "process"])
async def test_nothing_acknowledged_is_lost_under_kill_9(tmp_path: Path, durability: Durability) -> None:
    """Killed again and again on one folder, so each recovery builds on the last; twice while the file is opened."""
    moments = random.Random(f"kill {durability}")
    counts = [0, *[moments.randrange(1, 1_500) for _ in range(KILLS - 2)], 0]
    said: list[str] = []
    held = 0
    for count in counts:
        said += await run_and_kill(tmp_path, durability, count)
        before, held = held, await check(tmp_path, said)
        assert before <= held
    assert held > 1_000
