"""The numbers of orders: they go on growing when their topic is created anew."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from services.evaluator.published import PublishedJourneys
from shared.journeys.model import Definitions
from shared.journeys.published import Live
from shared.log import LogRecord, LogRecreatedError
from shared.messages import codec
from shared.messages.journeys import Order
from shared.messages.topics import INCARNATION_KEY, JOURNEYS
from tests.fakes import RecordingPublisher

CREATED = 1_795_000_000_000
LATER = CREATED + 86_400_000


def following(publisher: RecordingPublisher) -> PublishedJourneys:
    return PublishedJourneys("127.0.0.1:1", prefix="t.", base=Definitions(journeys=()), publish=publisher.publish)


def published(created: int, *orders: tuple[int, str]) -> PublishedJourneys:
    """Return what was read of a topic that was ``created`` then, with orders at these offsets on these journeys."""
    made = following(RecordingPublisher())
    made._first = created
    for offset, journey in orders:
        made.known.take(created + offset, Order(journey=journey, version=1, order="stop", at=0, by=""))
    return made


def due(made: PublishedJourneys, after: int) -> list[str]:
    return [marker.journey for marker in made.markers(after)]


async def test_a_partition_has_yet_to_read_the_orders_behind_the_last_that_it_has_read() -> None:
    made = published(CREATED, (1, "a"), (2, "b"), (3, "c"))
    assert ["c"] == due(made, CREATED + 2)
    assert ["a", "b", "c"] == due(made, -1)
    assert [CREATED + 3] == [marker.number for marker in made.markers(CREATED + 2)]


async def test_all_orders_of_a_topic_created_anew_are_yet_to_be_read() -> None:
    """Though their offsets are below those of the former topic."""
    assert ["a"] == due(published(LATER, (1, "a")), CREATED + 57)


async def test_what_an_earlier_release_numbered_counts_as_of_the_topic_that_there_is() -> None:
    """It numbered by the bare offset; its orders must not be given a second time."""
    assert ["c"] == due(published(CREATED, (1, "a"), (2, "b"), (3, "c")), 2)


def stop(offset: int, at: int = LATER) -> LogRecord:
    return LogRecord(offset, at, b"a", codec.encode(Order(journey="a", version=1, order="stop", at=0, by="")))


def first(offset: int, at: int, value: bytes = b"sixteen bytes id") -> LogRecord:
    return LogRecord(offset, at, INCARNATION_KEY, value)


async def test_the_last_of_several_first_records_counts() -> None:
    """Services that started at once each wrote one; compaction leaves the last, and numbers must stay the same."""
    log = [first(0, CREATED), first(1, CREATED + 300), stop(2), stop(4)]
    for left in (log, log[1:]):
        made = following(RecordingPublisher())
        made.take(left)
        assert [CREATED + 302, CREATED + 304] == [marker.number for marker in made.markers(-1)]


class OnceOver:
    """A consumer of ``log`` from its beginning; whoever asks for more than it has is cancelled."""

    def __init__(self, log: list[LogRecord]) -> None:
        self._log = log
        self._read = 0

    async def getmany(self, place: TopicPartition, **_: object) -> dict[TopicPartition, list[LogRecord]]:
        records = self._log[self._read :]
        if not records:
            raise asyncio.CancelledError
        self._read = len(self._log)
        return {place: records}

    async def position(self, _: TopicPartition) -> int:
        return self._log[-1].offset + 1


async def test_a_first_record_that_comes_late_does_not_change_the_numbers_when_it_alone_is_left() -> None:
    """Of a service that was slow: a copy of the first one is put behind it, and that is what compaction leaves."""
    log = [first(0, CREATED), stop(1), first(2, LATER)]
    publisher = RecordingPublisher()
    made = following(publisher)
    made._consumer = OnceOver(log)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    [copy] = publisher.outputs
    assert (JOURNEYS, INCARNATION_KEY, 0) == (copy.topic, copy.key, copy.partition)

    compacted = [stop(1), first(3, LATER, copy.value or b""), stop(4)]
    for whole in (compacted, [*log, *compacted[1:]]):
        again = RecordingPublisher()
        later = following(again)
        later._consumer = OnceOver(whole)
        with pytest.raises(asyncio.CancelledError):
            await later.run()
        assert [CREATED + 1, CREATED + 4] == [marker.number for marker in later.markers(-1)]
        assert [] == again.outputs


async def test_an_order_of_a_former_topic_is_not_waited_for() -> None:
    await published(LATER, (1, "a")).reach(CREATED + 57)


async def test_a_version_that_decides_and_is_not_known_is_asked_for_by_name() -> None:
    with pytest.raises(LogRecreatedError, match=r"cart@3 was published, but .* Publish that version again"):
        published(LATER).catalog({"cart": Live(3, "publish")})
