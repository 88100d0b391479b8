"""The loops of the standalone host: what retention took is passed over, what is unread stays, no marks, quiet logs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from structlog.testing import capture_logs

from services.dispatcher.channels.inbox import InboxChannel
from services.dispatcher.lanes import Lane
from services.evaluator.core.catalog import build_catalog
from services.ingest import keys_watch
from services.standalone.app import compose
from services.standalone.dispatch import Dispatch
from services.standalone.evaluation import Evaluation
from services.standalone.settings import StandaloneSettings
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import SqliteLog
from shared.clock import DAY, system_clock
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.event import EventRecord
from shared.messages.topics import CANCELS, COMMANDS, EVENTS, TopicName
from shared.metrics import Metrics
from tests.builders import JOURNEYS, a_journey, an_event, at, consented, identified
from tests.dispatching import eventually
from tests.unit.standalone.conftest import SetClock


def an_output(message: EventRecord, key: bytes = b"u:c1") -> Output:
    return Output("events", key, codec.encode(message))


async def emptied(log: SqliteLog) -> None:
    """Let retention take every record, as it may from a folder where nothing was read before an older release."""
    for topic in (EVENTS, COMMANDS, CANCELS):
        await log.trim(topic, 10 * DAY, log.end(topic, 0))


def a_dispatch(database: Database, log: SqliteLog, clock: SetClock) -> Dispatch:
    return Dispatch(
        log=log,
        deliveries=SqliteDeliveries(database, log),
        channels={"email": [Lane(InboxChannel("email"), 1, name="email")]},
        connectors={},
        clock=clock,
        metrics=Metrics(),
    )


def an_evaluation(database: Database, log: SqliteLog, clock: SetClock) -> Evaluation:
    return Evaluation(
        log=log,
        contacts=SqliteContacts(database, log),
        catalog=build_catalog([a_journey()]),
        clock=clock,
        speed=1,
        metrics=Metrics(),
    )


async def while_running(run: Awaitable[None], condition: Callable[[], bool]) -> None:
    running = asyncio.ensure_future(run)
    try:
        await eventually(condition)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_cursors_of_a_quiet_folder_leave_the_first_record(
    database: Database, log: SqliteLog, clock: SetClock
) -> None:
    """Else retention could never take it, or took it before it was read."""
    dispatch, evaluation = a_dispatch(database, log, clock), an_evaluation(database, log, clock)
    assert ({"commands": 0, "cancels": 0}, {"events": 0}) == (dispatch.read_to, evaluation.read_to)
    await while_running(dispatch.run(), lambda: dispatch.worker.committable_cancels is not None)
    await while_running(evaluation.run(), lambda: evaluation.read_to == {"events": 1})
    assert ({"commands": 1, "cancels": 1}, {"events": 1}) == (dispatch.read_to, evaluation.read_to)


async def test_the_dispatcher_passes_over_what_retention_took(
    database: Database, log: SqliteLog, clock: SetClock
) -> None:
    """With nothing left to read it has read all cancels there are, so what is old may be sent."""
    await log.publish([Output("cancels", b"k", b"x")] * 3)
    await emptied(log)
    dispatch = a_dispatch(database, log, clock)
    await while_running(dispatch.run(), lambda: dispatch._freshness.allows(0, 0))
    assert 4 == dispatch._freshness.offset


async def test_the_evaluator_passes_over_what_retention_took(
    database: Database, log: SqliteLog, clock: SetClock
) -> None:
    """It has caught up, so timers fire and nothing is held back for ever."""
    await log.publish([an_output(an_event("Browsed", at("10:00")))] * 3)
    await emptied(log)
    evaluation = an_evaluation(database, log, clock)
    assert evaluation.runner.caught_up
    evaluation.runner.caught_up = False
    await evaluation._turn()
    assert evaluation.runner.caught_up
    assert not await log.wait("events", 0, 0, timeout_ms=1)


async def test_events_accepted_before_a_long_downtime_are_evaluated(tmp_path: Path) -> None:
    """Retention starts with the host; it must not be faster than the evaluator."""
    database = Database(tmp_path, "process")
    log = SqliteLog(database, lambda: system_clock() - 40 * DAY)
    await log.publish([an_output(an_event("Browsed", system_clock() - 40 * DAY + n)) for n in range(1_200)])
    await database.close()
    host = compose(StandaloneSettings(data=tmp_path, journeys=JOURNEYS, durability="process"))
    async with host.running():
        await eventually(lambda: host.evaluation.runner.processor.meta.next_offset == 1_201)
    assert 1_201 == host.evaluation.runner.processor.meta.counters.records


async def test_no_marks_are_written(database: Database, log: SqliteLog, clock: SetClock) -> None:
    """Each is a commit, and the dispatcher of the same process asks the log itself."""
    clock.now = at("10:00")
    evaluation = an_evaluation(database, log, clock)
    await log.publish(
        [
            an_output(identified(at("08:00"), email="a@example.jp")),
            an_output(consented(at("08:00"), "cart_reminders")),
            an_output(an_event("Product Added", at("10:00"), name="Kettle")),
        ]
    )
    await evaluation._turn()
    clock.now = at("10:46")
    for _ in range(3):
        await evaluation._turn()
    assert evaluation.runner.processor.unsettled
    assert (2, 1) == (log.end("commands", 0), log.end("cancels", 0))


async def test_the_log_of_a_record_at_fault_holds_nothing_of_it(
    database: Database, log: SqliteLog, clock: SetClock
) -> None:
    await log.publish([an_output(an_event("Browsed", 1), b"u:taro@example.jp\xff"), Output("events", b"k", b"")])
    evaluation = an_evaluation(database, log, clock)
    with capture_logs() as lines:
        await evaluation._turn()
    assert [
        ("event_dead_lettered", "UnicodeDecodeError"),
        ("event_dead_lettered", "BadMessageError: the record is empty"),
    ] == [(line["event"], line["error"]) for line in lines]


async def test_a_host_on_a_folder_that_retention_emptied_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its loops wait for what comes; asking for what is gone without a pause, they would let nothing else run."""
    database = Database(tmp_path, "process")
    await emptied(SqliteLog(database, lambda: 1_000))
    await database.close()
    host = compose(StandaloneSettings(data=tmp_path, journeys=JOURNEYS, durability="process"))
    reads: list[TopicName] = []
    read = SqliteLog.read

    def counted(log: SqliteLog, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        reads.append(topic)
        assert len(reads) < 100, "the loops spin"
        return read(log, topic, partition, offset, limit)

    monkeypatch.setattr(SqliteLog, "read", counted)
    async with host.running() as work:
        await asyncio.sleep(0.1)
        assert not work.done()
    assert {"events", "commands", "cancels"} == set(reads)


async def test_the_keys_file_counts_beside_the_key_of_the_folder(tmp_path: Path) -> None:
    """Its sources with their limits, and its admins for the contacts too."""
    file = tmp_path / "keys.yaml"
    digest = hashlib.sha256(b"token").hexdigest()
    file.write_text(
        "schema: keys/v1\n"
        "sources: {shop: {keys: [{key: of-shop}], allow: [identify]}}\n"
        f"admins: [{{name: crm, sha256: {digest}}}]\n"
    )
    host = compose(StandaloneSettings(data=tmp_path / "data", journeys=JOURNEYS, durability="process", keys_file=file))
    call = {"userId": "u1", "event": "Browsed"}
    async with host.running(), AsyncClient(transport=ASGITransport(host.app), base_url="http://kikkake") as client:
        answers = [
            (await client.post("/v1/track", json=call, headers={"x-write-key": key})).status_code
            for key in ("of-shop", host.credentials.write_key, "other")
        ]
        contact = await client.get("/v1/contacts/nobody", headers={"authorization": "Bearer token"})
    assert [403, 200, 401] == answers
    assert 404 == contact.status_code


async def test_the_keys_file_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_watch, "SECONDS", 0.01)
    file = tmp_path / "keys.yaml"
    file.write_text("schema: keys/v1\nsources: {shop: {keys: [{key: old}]}}\n")
    host = compose(
        StandaloneSettings(
            data=tmp_path / "data", journeys=JOURNEYS, durability="process", keys_file=file, write_keys=("plain",)
        )
    )
    assert host.keys_file is not None
    ring = host.keys_file.ring
    async with host.running():
        file.with_suffix(".new").write_text("schema: keys/v1\nsources: {shop: {keys: [{key: new}]}}\n")
        file.with_suffix(".new").rename(file)
        await eventually(lambda: "new" in ring.keys.write_keys)
    assert {"plain", "new"} == set(ring.keys.write_keys)
