"""The contract of every contact store: rows, meta row and outputs of an epoch agree, whatever keeps them.

A new adapter is one function that opens it (twice in one test: the second time it finds what the first left) and one
row of ADAPTERS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import system_clock
from shared.log import Output
from shared.messages.topics import TopicName
from tests.fakes import MemoryContacts

NO_TIMER = 2**64 - 1


class ContactStore(Protocol):
    """What the evaluator's processor asks of a store."""

    def load(self, contact: str) -> bytes | None: ...
    def load_meta(self) -> bytes | None: ...
    async def save(self, rows: Mapping[str, bytes | None], meta: bytes, outputs: Sequence[Output]) -> None: ...
    def scan_due(self) -> Iterator[tuple[str, int]]: ...
    def count(self) -> int: ...


class Opened(NamedTuple):
    """An open store, and how to read the values that its epochs appended to a topic."""

    store: ContactStore
    appended: Callable[[TopicName], Awaitable[list[bytes | None]]]


OpenStore = Callable[[], AbstractAsyncContextManager[Opened]]


class ListPublisher:
    def __init__(self) -> None:
        self.outputs: list[Output] = []

    async def publish(self, outputs: Sequence[Output]) -> None:
        self.outputs += outputs


def memory(_: Path) -> OpenStore:
    publisher = ListPublisher()
    store = MemoryContacts(publisher)

    async def appended(topic: TopicName) -> list[bytes | None]:
        return [output.value for output in publisher.outputs if output.topic == topic]

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        yield Opened(store, appended)

    return opened


def sqlite(folder: Path) -> OpenStore:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        database = Database(folder, "process")
        log = SqliteLog(database, system_clock)

        async def appended(topic: TopicName) -> list[bytes | None]:
            return [record.value for record in log.read(topic, 0, 1, 1_000)]

        yield Opened(SqliteContacts(database, log), appended)
        await database.close()

    return opened


ADAPTERS = [memory, sqlite]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    opened: OpenStore = request.param(tmp_path)
    return opened


@pytest.fixture
async def opened(open_store: OpenStore) -> AsyncIterator[Opened]:
    async with open_store() as found:
        yield found


@pytest.fixture
def store(opened: Opened) -> ContactStore:
    return opened.store


def a_row(due: int = NO_TIMER, rest: bytes = b"") -> bytes:
    return due.to_bytes(8, "big") + rest


def test_a_new_store_knows_nobody(store: ContactStore) -> None:
    assert store.load("u:1") is None
    assert store.load_meta() is None
    assert [] == list(store.scan_due())
    assert 0 == store.count()


async def test_a_row_comes_back_as_saved(store: ContactStore) -> None:
    rows = {
        "u:1": a_row(5, b"one"),
        "u:日本語": a_row(rest=bytes(range(256))),
        "a:large": a_row(0, b"x" * 500_000),
        "u:bare": a_row(),
    }
    await store.save(rows, b"\x00meta", [])
    assert rows == {contact: store.load(contact) for contact in rows}
    assert b"\x00meta" == store.load_meta()
    assert 4 == store.count()


async def test_an_epoch_changes_what_it_names_and_nothing_else(store: ContactStore) -> None:
    await store.save({"u:1": a_row(1), "u:2": a_row(2), "u:3": a_row(3)}, b"one", [])
    await store.save({"u:1": a_row(9, b"new"), "u:2": None, "u:never": None}, b"two", [])
    assert a_row(9, b"new") == store.load("u:1")
    assert store.load("u:2") is None
    assert a_row(3) == store.load("u:3")
    assert b"two" == store.load_meta()
    assert 2 == store.count()


async def test_an_epoch_without_rows_moves_the_meta_row(store: ContactStore) -> None:
    """Events that change nobody still move the cursor."""
    await store.save({}, b"one", [])
    await store.save({}, b"two", [])
    assert b"two" == store.load_meta()
    assert 0 == store.count()


async def test_outputs_are_on_their_topics_in_order(opened: Opened) -> None:
    await opened.store.save(
        {"u:1": a_row()},
        b"meta",
        [Output("journal", b"u:1", b"j1"), Output("commands", b"u:1", b"c1"), Output("journal", b"u:2", b"j2")],
    )
    await opened.store.save({}, b"meta", [Output("journal", b"u:1", b"j3")])
    assert [b"j1", b"j2", b"j3"] == await opened.appended("journal")
    assert [b"c1"] == await opened.appended("commands")


async def test_epochs_take_effect_in_the_order_of_the_calls(opened: Opened) -> None:
    epochs = [
        opened.store.save({"u:1": a_row(number)}, str(number).encode(), [Output("journal", b"u:1", b"%d" % number)])
        for number in range(20)
    ]
    await asyncio.gather(*epochs)
    assert a_row(19) == opened.store.load("u:1")
    assert b"19" == opened.store.load_meta()
    assert [b"%d" % number for number in range(20)] == await opened.appended("journal")


async def test_the_scan_names_each_row_with_a_timer_the_earliest_first(store: ContactStore) -> None:
    rows = {"u:3": a_row(30), "u:1": a_row(10), "u:none": a_row(NO_TIMER), "u:zero": a_row(0), "u:2": a_row(20)}
    await store.save(rows, b"", [])
    assert [("u:zero", 0), ("u:1", 10), ("u:2", 20), ("u:3", 30)] == list(store.scan_due())


async def test_the_scan_follows_what_is_saved(store: ContactStore) -> None:
    await store.save({"u:1": a_row(10), "u:2": a_row(20), "u:3": a_row(30)}, b"", [])
    await store.save({"u:1": a_row(40), "u:2": a_row(NO_TIMER), "u:3": None, "u:4": a_row(5)}, b"", [])
    assert [("u:4", 5), ("u:1", 40)] == list(store.scan_due())


async def test_a_row_without_its_due_time_is_refused_whole(opened: Opened) -> None:
    """Such a row could be saved, but its timer would never fire."""
    await opened.store.save({"u:1": a_row(1)}, b"before", [])
    with pytest.raises(ValueError, match="8 bytes"):
        await opened.store.save({"u:1": None, "u:2": b"short"}, b"after", [Output("journal", b"k", b"v")])
    assert a_row(1) == opened.store.load("u:1")
    assert b"before" == opened.store.load_meta()
    assert [] == await opened.appended("journal")


async def test_repeating_an_epoch_changes_no_row(store: ContactStore) -> None:
    """What happens when this runs twice: the same rows; its outputs carry the same ids, so readers drop them."""
    for _ in range(2):
        await store.save({"u:1": a_row(1), "u:2": None}, b"meta", [Output("journal", b"k", b"v")])
    assert a_row(1) == store.load("u:1")
    assert 1 == store.count()


async def test_everything_is_there_when_it_is_opened_again(open_store: OpenStore) -> None:
    async with open_store() as first:
        await first.store.save({"u:1": a_row(1), "u:2": a_row(2)}, b"one", [Output("journal", b"k", b"j1")])
        await first.store.save({"u:2": None}, b"two", [Output("journal", b"k", b"j2")])
    async with open_store() as second:
        assert a_row(1) == second.store.load("u:1")
        assert second.store.load("u:2") is None
        assert b"two" == second.store.load_meta()
        assert [("u:1", 1)] == list(second.store.scan_due())
        assert [b"j1", b"j2"] == await second.appended("journal")
