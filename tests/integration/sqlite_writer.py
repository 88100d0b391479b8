"""The victim of test_sqlite_kill.py: publishes and evaluates as fast as it can, and says what was acknowledged.

It prints ``opening``, then ``event LANE:NUMBER`` and ``epoch NUMBER`` for each acknowledgement. Each lane publishes its
numbers one after another and goes on, when started again, after the last of its numbers in the log.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec

from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database, Durability
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from shared.log import LogRecord, Output

LANES = 20
CONTACTS = 50


class Meta(msgspec.Struct):
    """How far the evaluator has come."""

    epoch: int = 0
    next_offset: int = 1


def apply(rows: dict[str, bytes], load: SqliteContacts | None, records: list[LogRecord]) -> list[Output]:
    """Apply ``records`` to ``rows`` (a count, and as due time the last offset); return an output for each."""
    for record in records:
        contact = (record.key or b"").decode()
        before = rows.get(contact) or (load and load.load(contact)) or b"\0" * 16
        rows[contact] = record.offset.to_bytes(8, "big") + (int.from_bytes(before[8:], "big") + 1).to_bytes(8, "big")
    return [Output("journal", record.key, b"%d" % record.offset) for record in records]


def say(line: str) -> None:
    # One write per line: a kill never tears one.
    os.write(1, f"{line}\n".encode())


async def publish(log: SqliteLog, lane: int, number: int) -> None:
    while True:
        value = f"{lane}:{number}"
        contact = f"u:{(lane + number) % CONTACTS}".encode()
        await log.publish([Output("events", contact, value.encode())])
        say(f"event {value}")
        number += 1


async def evaluate(log: SqliteLog, contacts: SqliteContacts) -> None:
    meta = msgspec.json.decode(contacts.load_meta() or b"{}", type=Meta)
    while await log.wait("events", 0, meta.next_offset):
        records = log.read("events", 0, meta.next_offset, 100)
        rows: dict[str, bytes] = {}
        outputs = apply(rows, contacts, records)
        meta = Meta(meta.epoch + 1, records[-1].offset + 1)
        await contacts.save(rows, msgspec.json.encode(meta), outputs)
        say(f"epoch {meta.epoch}")


async def main(folder: Path, durability: Durability) -> None:
    say("opening")
    database = Database(folder, durability)
    log = SqliteLog(database, system_clock)
    started = Counter(
        int((record.value or b"").split(b":")[0]) for record in log.read("events", 0, 1, log.end("events", 0))
    )
    await asyncio.gather(
        evaluate(log, SqliteContacts(database, log)), *[publish(log, lane, started[lane]) for lane in range(LANES)]
    )


if __name__ == "__main__":
    (mode,) = [mode for mode in get_args(Durability) if mode == sys.argv[2]]
    asyncio.run(main(Path(sys.argv[1]), mode))
