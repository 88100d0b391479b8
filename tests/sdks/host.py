"""``kikkake dev`` as the SDKs meet it, and what it wrote down of what they sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from services.evaluator.meta import Counters, Meta, decode_meta
from services.standalone.storage.database import FILE_NAME
from services.standalone.storage.snapshot import open_snapshot
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import EVENTS, INCARNATION_KEY, JOURNAL
from tests.e2e.processes import Process, wait_until
from tests.servers.process import free_port

KEY = "wk_sdks"

# A run that ends at once, so that each event that counts as a new one starts another.
JOURNEY = """
schema: journey/v1
id: seen
version: 1
trigger: {type: event, event: Product Added}
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps:
  - {id: end, exit: {reason: seen}}
"""


class Host:
    """A running ``kikkake dev`` with one journey, which every ``Product Added`` enters."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        journeys = folder / "journeys"
        journeys.mkdir()
        (journeys / "seen.yaml").write_text(JOURNEY, encoding="utf-8")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["cli", "dev", "--port", str(port), "--data", str(self._data), "--durability", "process"]
        self.process = Process("dev", [*arguments, "--journeys", str(journeys), "--write-key", KEY], {}, folder, port)

    def events(self, of: Callable[[Event], bool]) -> list[Event]:
        """Return the events for which ``of`` holds as they stand in the log: what was sent twice stands there twice."""
        with open_snapshot(self._data) as snapshot:
            records = [record for record in snapshot.read(EVENTS) if record.key != INCARNATION_KEY]
        found = [codec.EVENTS.decode(record.value) for record in records]
        return [event for event in found if isinstance(event, Event) and of(event)]

    def entered(self, contact: str) -> list[str]:
        """Return the messageIds by which ``contact`` entered the journey, decided over all that stands in the log."""
        self.counters()
        with open_snapshot(self._data) as snapshot:
            records = [record for record in snapshot.read(JOURNAL) if record.key != INCARNATION_KEY]
        entries = [codec.JOURNAL.decode(record.value) for record in records]
        return [entry.cause for entry in entries if entry.contact == contact and entry.decision == "entered"]

    def counters(self) -> Counters:
        """Wait until all that stands in the log is decided, and return what the evaluator has counted so far."""

        def read() -> tuple[int, Meta]:
            with closing(sqlite3.connect(f"{(self._data / FILE_NAME).as_uri()}?mode=ro", uri=True)) as database:
                [(end,)] = database.execute("SELECT next_offset FROM topics WHERE topic = ?", (EVENTS,))
                [(value,)] = database.execute("SELECT value FROM meta")
            return end, decode_meta(value)

        def caught_up() -> bool:
            end, meta = read()
            return end == meta.next_offset

        wait_until(caught_up, "the log is decided")
        return read()[1].counters

    def until(self, of: Callable[[Event], bool], count: int, within: float = 30.0) -> list[Event]:
        """Wait for ``count`` different events for which ``of`` holds, and return all that stand in the log."""

        def different() -> int:
            return len({event.message_id for event in self.events(of)})

        wait_until(lambda: different() >= count, f"{count} events", within, lambda: f"{different()} events came")
        return self.events(of)
