"""The rules of the dispatcher's table: durable before the next step, open until reported."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.standalone.storage import deliveries as deliveries_module
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import SqliteLog
from shared.log import LogUnavailableError, Output
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery, DeliveryStatus
from shared.messages.outcome import Outcome
from tests.unit.standalone.conftest import SetClock

COMMAND = SendCommand(
    command_id="c1",
    contact="u:1",
    run_id="r1",
    journey="cart",
    version=1,
    step="remind",
    channels=("email",),
    addresses={"email": "a@example.com"},
    content={"email": {"subject": "hello"}},
    data={"name": "A"},
    purpose="marketing",
    on_ambiguous="hold",
    decided_at=1_000,
)
OUTCOME = Outcome(
    message_id="m1",
    contact="u:1",
    command_id="c1",
    run_id="r1",
    journey="cart",
    version=1,
    step="remind",
    channel="email",
    status="sent",
    at=2_000,
)


def a_delivery(command_id: str, status: DeliveryStatus, *, outcome: Outcome | None = None, at: int = 1) -> Delivery:
    return Delivery(command_id=command_id, status=status, at=at, outcome=outcome)


@pytest.fixture
def deliveries(database: Database, log: SqliteLog) -> SqliteDeliveries:
    return SqliteDeliveries(database, log)


async def test_a_delivery_comes_back_as_put(deliveries: SqliteDeliveries) -> None:
    assert deliveries.get("c1") is None
    deferred = Delivery(
        command_id="c1", status="deferred", at=1, attempt=2, retry_at=99, clock="journey", command=COMMAND
    )
    await deliveries.put([deferred])
    assert deferred == deliveries.get("c1")
    settled = Delivery(command_id="c1", status="settled", at=2, outcome=OUTCOME)
    await deliveries.put([settled])
    assert settled == deliveries.get("c1")


async def test_a_new_owner_goes_on_with_what_is_open(
    deliveries: SqliteDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_module, "_SCAN_ROWS", 2)
    rows = [
        a_delivery("1", "deferred"),
        a_delivery("2", "sending"),
        a_delivery("3", "settled", outcome=OUTCOME),
        a_delivery("4", "reported"),
        a_delivery("5", "cancelled"),
        a_delivery("6", "cancelled", outcome=OUTCOME),
    ]
    await deliveries.put(rows)
    assert ["1", "2", "3", "6"] == [delivery.command_id for delivery in deliveries.open()]
    await deliveries.put([a_delivery(number, "reported") for number in "1236"])
    assert [] == list(deliveries.open())


async def test_rows_outcomes_and_cursors_are_one_commit(
    deliveries: SqliteDeliveries, database: Database, log: SqliteLog
) -> None:
    commits = database.commits
    await deliveries.put(
        [a_delivery("c1", "reported")],
        [Output("events", b"u:1", codec.encode(OUTCOME))],
        {"commands": 7, "cancels": 3},
    )
    assert 1 == database.commits - commits
    (record,) = log.read("events", 0, 1, 10)
    assert OUTCOME == codec.EVENTS.decode(record.value)
    assert [7, 3, 0] == [deliveries.cursor(name) for name in ("commands", "cancels", "unknown")]


async def test_a_refused_step_moves_nothing(deliveries: SqliteDeliveries, database: Database, log: SqliteLog) -> None:
    pages = database.write_now(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    database.write_now(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    with pytest.raises(LogUnavailableError):
        await deliveries.put([a_delivery("c1", "sending")], [Output("events", b"u:1", b"x" * 100_000)], {"commands": 7})
    assert deliveries.get("c1") is None
    assert 0 == deliveries.cursor("commands")
    assert 1 == log.end("events", 0)


async def test_many_messages_share_a_commit(deliveries: SqliteDeliveries, database: Database) -> None:
    commits = database.commits
    await asyncio.gather(*[deliveries.put([a_delivery(str(number), "sending")]) for number in range(100)])
    assert 1 == database.commits - commits


async def test_everything_is_there_after_a_restart(tmp_path: Path, clock: SetClock) -> None:
    database = Database(tmp_path)
    await SqliteDeliveries(database, SqliteLog(database, clock)).put([a_delivery("c1", "sending")], (), {"commands": 7})
    await database.close()
    database = Database(tmp_path)
    deliveries = SqliteDeliveries(database, SqliteLog(database, clock))
    assert a_delivery("c1", "sending") == deliveries.get("c1")
    assert 7 == deliveries.cursor("commands")
    await database.close()


async def test_final_rows_are_forgotten_in_time_and_open_ones_never(
    deliveries: SqliteDeliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_module, "_TRIM_ROWS", 2)
    await deliveries.put([a_delivery(f"r{at}", "reported", at=at) for at in range(10)])
    await deliveries.put([a_delivery("open", "sending", at=0)])
    assert 6 == await deliveries.trim(6)
    assert deliveries.get("r5") is None
    assert deliveries.get("r6") is not None
    assert deliveries.get("open") is not None
