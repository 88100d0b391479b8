"""``kikkake dev`` as a sender meets it, and what it wrote down of what was sent, read while it runs."""

from __future__ import annotations

import sqlite3
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from services.evaluator.meta import Counters, Meta, decode_meta
from services.standalone.storage.database import FILE_NAME
from services.standalone.storage.snapshot import open_snapshot
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.topics import EVENTS, INCARNATION_KEY, JOURNAL, TopicName
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
    """A running ``kikkake dev`` with its journeys; by default with one that every ``Product Added`` enters."""

    def __init__(self, folder: Path, journeys: Sequence[str] = (JOURNEY,)) -> None:
        self._data = folder / "data"
        self.journeys = folder / "journeys"
        self.journeys.mkdir()
        for number, journey in enumerate(journeys):
            (self.journeys / f"{number}.yaml").write_text(journey, encoding="utf-8")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["cli", "dev", "--port", str(port), "--data", str(self._data), "--durability", "process"]
        self.process = Process(
            "dev", [*arguments, "--journeys", str(self.journeys), "--write-key", KEY], {}, folder, port
        )

    def events(self, of: Callable[[Event], bool]) -> list[Event]:
        """Return the events for which ``of`` holds as they stand in the log: what was sent twice stands there twice."""
        found = [codec.EVENTS.decode(record.value) for record in self.records(EVENTS)]
        return [event for event in found if isinstance(event, Event) and of(event)]

    def entered(self, contact: str) -> list[str]:
        """Return the messageIds by which ``contact`` entered the journey, decided over all that stands in the log."""
        return [it.cause for it in self.journal() if it.contact == contact and it.decision == "entered"]

    def journal(self) -> list[JournalRecord]:
        """Return all decisions, over all that stands in the log."""
        self.counters()
        return [codec.JOURNAL.decode(record.value) for record in self.records(JOURNAL)]

    def records(self, topic: TopicName) -> list[LogRecord]:
        """Return what stands in a topic."""
        with open_snapshot(self._data) as snapshot:
            return [record for record in snapshot.read(topic) if record.key != INCARNATION_KEY]

    def remarks(self, remark: str) -> int:
        """Return how often the evaluator has remarked on a record, over all that stands in the log."""
        self.counters()
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        name = f'kikkake_event_remarks_total{{remark="{remark}"}} '
        return int(sum(float(line.removeprefix(name)) for line in lines if line.startswith(name)))

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
