"""One suite for every ledger: what was put is there, for the same reader and for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from services.dispatcher.ended import compact
from services.dispatcher.ledger import HELD, KafkaLedger, RowMissingError
from services.dispatcher.ports import FencedError, Ledger
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import SqliteLog
from shared.clock import DAY, system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import Output
from shared.messages.codec import encode
from shared.messages.delivery import Delivery, DeliveryStatus
from shared.messages.topics import DELIVERIES
from shared.settings import KafkaSettings
from tests.dispatching import NOON, a_command
from tests.fakes import FakeClock, MemoryLedger, MemoryLog
from tests.servers.kafka import KafkaServer

Open = Callable[[], Awaitable[Ledger]]


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        "kafka ledger in memory",
        "kafka ledger that keeps places",
        pytest.param("kafka", marks=pytest.mark.integration),
        pytest.param("kafka that keeps places", marks=pytest.mark.integration),
    ]
)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Give a function that opens the ledger as a new owner would."""
    held = 0 if "places" in request.param else HELD
    if request.param == "memory":
        memory = MemoryLedger()

        async def same() -> Ledger:
            return memory

        yield same
    elif request.param == "sqlite":
        database = Database(tmp_path, "process")

        async def file() -> Ledger:
            return SqliteDeliveries(database, SqliteLog(database, system_clock))

        yield file
        await database.close()
    elif request.param in ("kafka", "kafka that keeps places"):
        server: KafkaServer = request.getfixturevalue("kafka_server")
        settings = KafkaSettings(
            kafka_bootstrap=server.bootstrap, topic_prefix=f"ledger-{uuid4().hex[:8]}.", partitions=2
        )
        await ensure_topics(settings)
        publisher = KafkaPublisher(server.bootstrap, prefix=settings.topic_prefix, partitions=2)
        reader = KafkaLogReader(server.bootstrap, prefix=settings.topic_prefix)
        yield lambda: owner(KafkaLedger(1, publisher=publisher, reader=reader, clock=lambda: NOON, held=held))
        await publisher.stop()
    else:
        log = MemoryLog(FakeClock(NOON), partitions=2)
        yield lambda: owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON, held=held))


async def owner(ledger: KafkaLedger) -> KafkaLedger:
    await ledger.take_over(uuid4().hex)
    await ledger.open_term()
    return ledger


def a_row(number: int, status: DeliveryStatus) -> Delivery:
    command = a_command(number) if status in ("deferred", "sending") else None
    return Delivery(command_id=a_command(number).command_id, status=status, at=NOON, command=command, retry_at=NOON)


def statuses(ledger: Ledger, *numbers: int) -> list[str | None]:
    rows = [ledger.get(a_command(number).command_id) for number in numbers]
    return [None if row is None else row.status for row in rows]


ALL: tuple[DeliveryStatus, ...] = ("cancelled", "deferred", "sending", "settled", "reported")


async def test_what_was_put_is_there_for_this_and_the_next_owner(opened: Open) -> None:
    ledger = await opened()
    await ledger.put([a_row(number, status) for number, status in enumerate(ALL)])
    for reader in (ledger, await opened()):
        assert [*ALL, None] == statuses(reader, 0, 1, 2, 3, 4, 99)
        [deferred] = await reader.load([a_command(number).command_id for number in range(6)])
        assert a_command(1) == deferred.command
        assert ["deferred", "sending", "settled"] == sorted(row.status for row in reader.open())


async def test_the_last_row_of_a_command_counts(opened: Open) -> None:
    ledger = await opened()
    for status in ("deferred", "sending", "settled", "reported"):
        await ledger.put([a_row(1, status)])
        assert [status] == statuses(ledger, 1)
    again = await opened()
    assert ["reported"] == statuses(again, 1)
    assert [] == list(again.open())


async def test_putting_twice_changes_nothing(opened: Open) -> None:
    ledger = await opened()
    await ledger.put([a_row(1, "deferred")])
    await ledger.put([a_row(1, "deferred")])
    assert 1 == len(list((await opened()).open()))


async def test_many_puts_at_once(opened: Open) -> None:
    ledger = await opened()
    await asyncio.gather(*[ledger.put([a_row(number, "sending")]) for number in range(200)])
    assert 200 == len(list((await opened()).open()))


async def test_a_new_owner_sees_what_a_former_one_wrote_after_its_owner_record() -> None:
    """It was granted its claim before ours: the message may be with the provider."""
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    new = KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON)
    await new.take_over("new")
    await former.put([a_row(1, "sending")])
    await new.open_term()
    assert ["sending"] == statuses(new, 1)


async def test_a_former_owner_s_afterthoughts_change_nothing() -> None:
    """Not for the owner, which writes its own row again, and not for any later one."""
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    new = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    await new.put([a_row(1, "reported")])
    await former.put([a_row(1, "sending"), a_row(2, "sending")])
    third = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    assert ["reported", None] == statuses(third, 1, 2)


async def test_the_owner_repairs_what_a_former_one_overwrote() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    new = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    await new.put([a_row(1, "reported")])
    await former.put([a_row(1, "sending")])
    before = await log.end(DELIVERIES, 1)
    await new.refresh()
    await new.refresh()
    assert before + 1 == await log.end(DELIVERIES, 1)
    assert ["reported"] == statuses(new, 1)


async def test_a_former_owner_that_looks_stops() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    with pytest.raises(FencedError):
        await former.refresh()
    with pytest.raises(FencedError):
        await former.put([a_row(1, "sending")])


async def test_a_row_that_cannot_be_read_harms_no_other() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    await log.publish(
        [
            Output(DELIVERIES, b"x", b"\x01\x00{", 1),
            Output(DELIVERIES, b"y", None, 1),
            Output(DELIVERIES, b"z", encode(a_row(1, "deferred")), 1),
        ]
    )
    assert ["deferred"] == statuses(await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON)), 1)


async def test_what_ended_long_ago_is_forgotten() -> None:
    """Its command is not in the log any more, so nobody can ask."""
    log = MemoryLog(FakeClock(NOON), partitions=2)
    clock = FakeClock(NOON)
    ledger = await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
    await ledger.put([a_row(1, "reported"), a_row(2, "cancelled"), a_row(3, "deferred")])
    clock.advance(9 * DAY)
    await ledger.refresh()
    assert [None, None, "deferred"] == statuses(ledger, 1, 2, 3)


async def test_what_ended_a_month_ago_is_deleted_by_the_next_owner() -> None:
    log, clock = MemoryLog(FakeClock(NOON), partitions=2), FakeClock(NOON)
    ledger = await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
    await ledger.put([a_row(1, "reported"), a_row(2, "cancelled"), a_row(3, "deferred")])
    clock.advance(31 * DAY)
    await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
    deleted = [record.key async for batch in log.read_all(DELIVERIES, 1) for record in batch if record.value is None]
    assert [a_command(number).command_id.encode() for number in (1, 2)] == deleted
    third = await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
    assert [None, None, "deferred"] == statuses(third, 1, 2, 3)


async def test_deferred_rows_are_loaded_whole_in_any_number_and_order(opened: Open) -> None:
    ledger = await opened()
    puts = [ledger.put([a_row(number, "deferred"), a_row(100 + number, "sending")]) for number in range(40)]
    await asyncio.gather(*puts)
    await ledger.put(
        [a_row(7, "reported"), a_row(8, "sending"), msgspec.structs.replace(a_row(9, "deferred"), attempt=3)]
    )
    for reader in (ledger, await opened()):
        wanted = [a_command(number).command_id for number in (30, 9, 7, 8, 2, 99)]
        found = {row.command_id: row for row in await reader.load(wanted)}
        assert [a_command(number).command_id for number in (2, 9, 30)] == sorted(found)
        assert (a_command(30), 3) == (found[wanted[0]].command, found[wanted[1]].attempt)


async def test_what_is_kept_of_a_deferred_command_beyond_the_bound_is_its_place() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    ledger = KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON, held=1_000)
    await owner(ledger)
    size = len(encode(a_row(1, "deferred")))
    assert 500 < size < 1_000
    await ledger.put([a_row(number, "deferred") for number in range(50)])
    assert (1, 49) == (len(ledger._rows), len(ledger._places))
    await ledger.put([a_row(number, "reported") for number in range(50)])
    assert (0, 0, 0) == (ledger.held, len(ledger._rows), len(ledger._places))


async def test_what_ended_a_month_ago_is_not_open_again() -> None:
    """A partition with little in it is compacted late: the open row still stands before the final one."""
    log, clock = MemoryLog(FakeClock(NOON), partitions=2), FakeClock(NOON)
    ledger = await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
    await ledger.put([a_row(1, "deferred")])
    await ledger.put([a_row(1, "reported")])
    clock.advance(31 * DAY)
    for _ in ("finds it and deletes it", "finds it deleted"):
        later = await owner(KafkaLedger(1, publisher=log, reader=log, clock=clock))
        assert ([], [None], 0) == (list(later.open()), statuses(later, 1), later.held)


async def test_what_is_final_takes_no_place(opened: Open) -> None:
    ledger = await opened()
    for number in range(3):
        await ledger.put([a_row(number, "deferred"), a_row(number, "deferred")])
    await ledger.put([a_row(number, "reported") for number in range(3)])
    assert (0, 0) == (ledger.waiting, (await opened()).waiting)


async def test_what_waits_is_counted_whole_or_not() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    ledger = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON, held=1_000))
    await ledger.put([a_row(number, "deferred") for number in range(9)] + [a_row(9, "reported")])
    assert 9 == ledger.waiting


async def test_a_place_that_holds_another_row_ends_the_owner() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    ledger = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON, held=0))
    await ledger.put([a_row(1, "deferred"), a_row(2, "deferred")])
    ledger._places[compact(a_command(1).command_id)] += 1
    with pytest.raises(RowMissingError):
        await ledger.load([a_command(1).command_id])


async def test_the_owner_repairs_what_it_keeps_as_a_place() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    new = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON, held=0))
    await new.put([a_row(1, "deferred")])
    await former.put([a_row(1, "sending")])
    await new.refresh()
    third = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    [row] = await third.load([a_command(1).command_id])
    assert a_command(1) == row.command


async def test_what_is_open_counts_as_it_was_written() -> None:
    log = MemoryLog(FakeClock(NOON), partitions=2)
    former = await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))
    await former.put([a_row(1, "deferred"), a_row(2, "sending")])
    written = [record for record in await log.read(DELIVERIES, 1, 0, 99) if not (record.key or b"").startswith(b"\x00")]
    size = sum(len(record.value or b"") for record in written)
    assert size == former.held == (await owner(KafkaLedger(1, publisher=log, reader=log, clock=lambda: NOON))).held
