"""``kikkake import`` into a running system: killed, and the system killed under it, it loses and doubles nothing."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

import msgspec
import pytest

from services.evaluator.meta import decode_meta
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import system_clock
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import EVENTS
from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import WRITE_KEY, write_journeys
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

LINES, BAD = 4_000, (7, 2_500)
BOUGHT = """
schema: journey/v1
id: thanks
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps: [{id: end, exit: {reason: done}}]
"""


class Held(msgspec.Struct):
    """What the standalone host holds, read while it is down."""

    orders: list[str]
    applied: int
    decisions: int


def held(folder: Path) -> Held:
    async def read() -> Held:
        database = Database(folder, "process")
        try:
            log = SqliteLog(database, system_clock)
            records = log.read(EVENTS, PARTITION, 0, log.end(EVENTS, PARTITION))
            found = [codec.EVENTS.decode(record.value) for record in records if record.key and b":" in record.key]
            meta = decode_meta(SqliteContacts(database, log).load_meta() or b"")
            assert log.end(EVENTS, PARTITION) == meta.next_offset
            orders = [str(event.properties["order_id"]) for event in found if isinstance(event, Event)]
            return Held(orders, meta.counters.applied, meta.counters.decisions)
        finally:
            await database.close()

    return asyncio.run(read())


def test_history_comes_in_once_whatever_is_killed_meanwhile(tmp_path: Path) -> None:
    path, state = tmp_path / "orders.ndjson", tmp_path / "orders.ndjson.import.json"
    orders = [
        {"userId": f"u{number % 50}", "timestamp": "2025-02-01T10:00:00Z", "properties": {"order_id": f"o{number}"}}
        for number in range(1, LINES + 1)
    ]
    path.write_text("".join(("no\n" if n in BAD else json.dumps(call) + "\n") for n, call in enumerate(orders, 1)))
    journeys = write_journeys(tmp_path)
    (journeys / "thanks.yaml").write_text(BOUGHT)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serving = ["cli", "dev", "--port", str(port), "--data", str(tmp_path / "data"), "--durability", "process"]
    host = Process("dev", [*serving, "--journeys", str(journeys), "--write-key", WRITE_KEY], {}, tmp_path, port)
    importing = ["cli", "import", str(path), "--url", url, "--write-key", WRITE_KEY, "--event", "Order Completed"]
    run = Process("import", [*importing, "--rate", "1500", "--quiet"], {}, tmp_path, port)

    def come(lines: int) -> bool:
        return state.exists() and json.loads(state.read_bytes())["line"] >= lines

    try:
        host.start().ready()
        for lines in (500, 1_500):
            run.start()
            wait_until(lambda reached=lines: come(reached), f"{lines} lines are imported", 60, run.tail)  # type: ignore[misc]
            run.kill()
        host.kill()
        run.start()
        host.start().ready()
        assert 1 == run.wait(90), run.tail()
        wait_until(lambda: applied(url) >= LINES - len(BAD), "everything is applied", 60, host.tail)
    finally:
        run.end()
        host.kill()
    found = held(tmp_path / "data")
    expected = {f"o{number}" for number in range(1, LINES + 1) if number not in BAD}
    assert (expected, len(expected), 0) == (set(found.orders), found.applied, found.decisions)
    report = [json.loads(line) for line in (tmp_path / "orders.ndjson.refused.ndjson").read_text().splitlines()]
    assert list(BAD) == [told["line"] for told in report]
    assert f"{len(expected)} events accepted, {len(BAD)} refused" in run.log.read_text()


def applied(url: str) -> float:
    """Return how many records have been applied, as /metrics says."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if 'kind="applied"' in line)
