"""The contract of every ``ContactStore`` that saves epochs: rows, cursor and outputs agree, whatever keeps them.

A new adapter is one function that opens it (twice in one test: the second time it finds what the first left) and one
row of ADAPTERS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from uuid import uuid4

import pytest

from services.evaluator.changelog.writer import EpochTooLargeError
from services.evaluator.core.state import ContactState
from services.evaluator.epoch import ContactStore, Epoch
from services.evaluator.meta import Counters, Meta, decode_meta
from services.evaluator.rows import Row, encode_row, read_head
from shared.kafka.admin import ensure_topics
from shared.log import Output
from shared.settings import KafkaSettings
from tests.contract.stores import (
    Opened,
    OpenStore,
    Store,
    disk_changelog,
    kafka,
    kafka_disk,
    memory,
    memory_changelog,
    sqlite,
)
from tests.servers.kafka import KafkaServer

PARTITIONS = 32
"""Of the Kafka topics that all tests here share: each test has one partition for itself."""


ADAPTERS = [
    memory,
    sqlite,
    memory_changelog,
    disk_changelog,
    pytest.param(kafka, marks=pytest.mark.integration),
    pytest.param(kafka_disk, marks=pytest.mark.integration),
]


@pytest.fixture(scope="module")
def kafka_topics(kafka_server: KafkaServer) -> KafkaSettings:
    settings = KafkaSettings(
        kafka_bootstrap=kafka_server.bootstrap, topic_prefix=f"store-{uuid4().hex}.", partitions=PARTITIONS
    )
    asyncio.run(ensure_topics(settings))
    return settings


@pytest.fixture(scope="module")
def free_partitions() -> Iterator[int]:
    return iter(range(PARTITIONS))


@pytest.fixture
def a_partition(free_partitions: Iterator[int]) -> int:
    return next(free_partitions)


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    opened: OpenStore = request.param(request)
    return opened


@pytest.fixture
async def opened(open_store: OpenStore) -> AsyncIterator[Opened]:
    async with open_store() as found:
        yield found


@pytest.fixture
def store(opened: Opened) -> Store:
    return opened.store


# ---- what is saved ------------------------------------------------------------------------------------------------


def a_row(contact: str, seq: int = 0, **traits: str) -> bytes:
    return encode_row(Row(ContactState(contact=contact, seq=seq, traits=traits), offset=seq))


def a_meta(number: int) -> Meta:
    return Meta(
        incarnation="log", next_offset=number * 10, log_time=number * 1_000, epoch=number, counters=Counters(number)
    )


def an_epoch(number: int, rows: Iterable[tuple[str, bytes]] = (), outputs: tuple[Output, ...] = ()) -> Epoch:
    return Epoch(dict(rows), outputs, a_meta(number), 1)


def to_journal(opened: Opened, *values: bytes) -> tuple[Output, ...]:
    return tuple(Output("journal", b"u:1", value, opened.partition) for value in values)


def cursor(store: ContactStore) -> tuple[str, int, int, int, Counters] | None:
    """Return what a restart asks of the meta row; term and acknowledgement are the adapter's own."""
    saved = store.load_meta()
    if saved is None:
        return None
    meta = decode_meta(saved)
    return meta.incarnation, meta.next_offset, meta.log_time, meta.epoch, meta.counters


def cursor_of(number: int) -> tuple[str, int, int, int, Counters]:
    return "log", number * 10, number * 1_000, number, Counters(number)


# ---- the contract -------------------------------------------------------------------------------------------------


async def test_a_new_store_knows_nobody(store: Store) -> None:
    assert store.load("u:1") is None
    assert store.load_meta() is None
    assert [] == list(store.scan())


async def test_a_row_comes_back_as_saved(store: Store) -> None:
    rows = {
        "u:1": a_row("u:1", 1, name="one"),
        "u:日本語": a_row("u:日本語", name="亜紀\x00\x1f"),
        "a:large": a_row("a:large", text="x" * 250_000),
        "a:": a_row("a:"),
    }
    await store.save(an_epoch(1, rows.items()))
    assert rows == {contact: store.load(contact) for contact in rows}
    assert cursor_of(1) == cursor(store)


async def test_an_epoch_changes_what_it_names_and_nothing_else(store: Store) -> None:
    await store.save(an_epoch(1, [("u:1", a_row("u:1", 1)), ("u:2", a_row("u:2", 1))]))
    await store.save(an_epoch(2, [("u:1", a_row("u:1", 2)), ("u:3", a_row("u:3", 2))]))
    found = {contact: store.load(contact) for contact in ("u:1", "u:2", "u:3")}
    assert {"u:1": a_row("u:1", 2), "u:2": a_row("u:2", 1), "u:3": a_row("u:3", 2)} == found
    assert cursor_of(2) == cursor(store)


async def test_an_epoch_without_rows_moves_the_cursor(store: Store) -> None:
    """Events that change nobody are behind it all the same."""
    await store.save(an_epoch(1))
    await store.save(an_epoch(2))
    assert cursor_of(2) == cursor(store)
    assert [] == list(store.scan())


async def test_the_scan_gives_every_contact_with_the_head_of_its_row(store: Store) -> None:
    """With at least the head: a start reads when each contact's timer is due, and not each contact."""
    await store.save(an_epoch(1, [(f"u:{n}", a_row(f"u:{n}", text="x" * 500)) for n in range(5)]))
    await store.save(an_epoch(2, [("u:4", a_row("u:4", 9)), ("u:5", a_row("u:5", 9))]))
    found = dict(store.scan())
    assert {f"u:{number}" for number in range(6)} == found.keys()
    for contact, value in found.items():
        row = store.load(contact)
        assert row is not None
        assert row.startswith(value[:13])
        assert read_head(row) == read_head(value)


async def test_outputs_are_on_their_topics_in_order(opened: Opened) -> None:
    commands = Output("commands", b"u:1", b"c1", opened.partition)
    first, second = to_journal(opened, b"j1", b"j2")
    await opened.store.save(an_epoch(1, [("u:1", a_row("u:1"))], (first, commands, second)))
    await opened.store.save(an_epoch(2, (), to_journal(opened, b"j3")))
    assert [b"j1", b"j2", b"j3"] == await opened.appended("journal")
    assert [b"c1"] == await opened.appended("commands")


async def test_epochs_take_effect_in_the_order_of_the_calls(opened: Opened) -> None:
    epochs = [
        an_epoch(number, [("u:1", a_row("u:1", number))], to_journal(opened, b"%d" % number)) for number in range(1, 21)
    ]
    await asyncio.gather(*[opened.store.save(epoch) for epoch in epochs])
    assert a_row("u:1", 20) == opened.store.load("u:1")
    assert cursor_of(20) == cursor(opened.store)
    assert [b"%d" % number for number in range(1, 21)] == await opened.appended("journal")


async def test_repeating_an_epoch_changes_no_row(store: Store) -> None:
    """What happens when this runs twice: the same rows; its outputs carry the same ids, so readers drop them."""
    for _ in range(2):
        await store.save(an_epoch(1, [("u:1", a_row("u:1", 1))]))
    assert a_row("u:1", 1) == store.load("u:1")
    assert ["u:1"] == [contact for contact, _ in store.scan()]
    assert cursor_of(1) == cursor(store)


async def test_everything_is_there_when_it_is_opened_again(open_store: OpenStore) -> None:
    async with open_store() as first:
        rows = [("u:1", a_row("u:1", 1)), ("u:2", a_row("u:2", 1))]
        await first.store.save(an_epoch(1, rows, to_journal(first, b"j1")))
        await first.store.save(an_epoch(2, [("u:2", a_row("u:2", 2))], to_journal(first, b"j2")))
    async with open_store() as second:
        assert a_row("u:1", 1) == second.store.load("u:1")
        assert a_row("u:2", 2) == second.store.load("u:2")
        assert cursor_of(2) == cursor(second.store)
        assert {"u:1", "u:2"} == {contact for contact, _ in second.store.scan()}
        assert [b"j1", b"j2"] == await second.appended("journal")
        await second.store.save(an_epoch(3, [("u:1", a_row("u:1", 3))], to_journal(second, b"j3")))
    async with open_store() as third:
        assert a_row("u:1", 3) == third.store.load("u:1")
        assert cursor_of(3) == cursor(third.store)
        assert [b"j1", b"j2", b"j3"] == await third.appended("journal")


@pytest.mark.parametrize("adapter", [memory_changelog, pytest.param(kafka, marks=pytest.mark.integration)])
async def test_another_owner_finds_all_that_one_still_alive_has_saved(
    adapter: Callable[[pytest.FixtureRequest], OpenStore], request: pytest.FixtureRequest
) -> None:
    """Outputs may come twice then, with their ids. A SQLite folder has one owner by its lock."""
    open_store = adapter(request)
    async with open_store() as first:
        await first.store.save(an_epoch(1, [("u:1", a_row("u:1", 1))], to_journal(first, b"j1")))
        await first.store.save(an_epoch(2, [("u:1", a_row("u:1", 2))], to_journal(first, b"j2")))
        async with open_store() as second:
            assert a_row("u:1", 2) == second.store.load("u:1")
            assert cursor_of(2) == cursor(second.store)
            assert [b"j1", b"j2"] == list(dict.fromkeys(await second.appended("journal")))


@pytest.mark.integration
async def test_an_epoch_that_no_record_batch_holds_is_refused_whole(request: pytest.FixtureRequest) -> None:
    """Rows and outbox of one epoch are one batch in Kafka, or none of them is there."""
    async with kafka(request)() as opened:
        await opened.store.save(an_epoch(1, [("u:1", a_row("u:1", 1))]))
        rows = [(f"u:{number}", a_row(f"u:{number}", 2, text="x" * 500_000)) for number in range(10)]
        with pytest.raises(EpochTooLargeError):
            await opened.store.save(an_epoch(2, rows, to_journal(opened, b"j2")))
        assert a_row("u:1", 1) == opened.store.load("u:1")
    async with kafka(request)() as again:
        assert ["u:1"] == [contact for contact, _ in again.store.scan()]
        assert cursor_of(1) == cursor(again.store)
        assert [] == await again.appended("journal")
