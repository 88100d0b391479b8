"""The publisher: what is on its way to the broker is bounded, whoever still waits for it; how each write ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaError, NotLeaderForPartitionError
from aiokafka.producer.message_accumulator import MessageAccumulator

from shared.kafka.publisher import KafkaPublisher
from shared.log import LogUnavailableError, Output, RecordTooLargeError
from shared.messages.topics import EVENTS, EVENTS_DLQ


class Producer:
    """Takes everything into aiokafka's own batches, of which it sends none and acknowledges none by itself."""

    def __init__(self) -> None:
        self._message_accumulator = MessageAccumulator(None, 256 * 1024, 0, 40)

    @property
    def batches(self) -> list[Any]:
        """All that it was ever given, in order, those that have ended included."""
        return [batch for batches in self._message_accumulator._batches.values() for batch in batches]

    @property
    def sent(self) -> int:
        """How many records that are."""
        return sum(batch.record_count for batch in self.batches)

    def end(self, number: int, error: KafkaError | None = None) -> None:
        """Let a batch be acknowledged as the record at offset 100 and those after it, or fail."""
        batch = self.batches[number]
        batch._builder.close()
        if error is None:
            batch.done(100)
        else:
            batch.failure(error)

    async def partitions_for(self, _: str) -> set[int]:
        return {0}


@pytest.fixture
async def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    producer = Producer()

    async def live(publisher: KafkaPublisher) -> Producer:
        publisher._producer = producer
        return producer

    monkeypatch.setattr(KafkaPublisher, "_live", live)
    return producer


def a_publisher(in_flight: int) -> KafkaPublisher:
    return KafkaPublisher("127.0.0.1:1", prefix="", partitions=1, timeout=0.05, in_flight=in_flight)


LARGE = Output(EVENTS, b"k", b"x" * 6_000)
SMALL = Output(EVENTS, b"k", b"x")


async def test_what_was_given_up_takes_room_until_the_broker_has_it(producer: Producer) -> None:
    """Or a broker that is slow for an hour would find an hour's repeats in memory."""
    publisher = a_publisher(10_000)
    for _ in range(20):
        with pytest.raises(LogUnavailableError):
            await publisher.publish([LARGE])
    assert 1 == producer.sent
    producer.end(0)
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailableError):
        await publisher.publish([LARGE])
    assert 2 == producer.sent


async def test_what_is_acknowledged_or_refused_gives_its_room_back(producer: Producer) -> None:
    publisher = a_publisher(10_000)
    for number in range(5):
        publishing = asyncio.create_task(publisher.publish([LARGE]))
        while producer.sent <= number:
            await asyncio.sleep(0)
        producer.end(number)
        await publishing
    assert 0 == publisher._room.taken


async def test_a_write_of_many_batches_is_acknowledged_with_the_last_of_them(producer: Producer) -> None:
    """In order, and the offsets are those of each record's own batch."""
    publisher = a_publisher(10_000_000)
    values = [str(number).encode() * 30_000 for number in range(10)]
    writing = asyncio.create_task(publisher.append([Output(EVENTS, b"k", value) for value in values]))
    await until(lambda: 10 == producer.sent)
    assert [8, 2] == [batch.record_count for batch in producer.batches]
    producer.end(0)
    await asyncio.sleep(0.001)
    assert not writing.done()
    producer.end(1)
    assert [*range(100, 108), 100, 101] == await writing


async def test_a_record_larger_than_a_batch_has_one_to_itself(producer: Producer) -> None:
    publisher = a_publisher(10_000_000)
    sizes = (10, 600_000, 10)
    writing = asyncio.create_task(publisher.publish([Output(EVENTS, b"k", b"x" * size) for size in sizes]))
    await until(lambda: 3 == producer.sent)
    assert [1, 1, 1] == [batch.record_count for batch in producer.batches]
    for number in range(3):
        producer.end(number)
    await writing


async def test_all_who_wait_for_a_batch_are_told_how_it_ended(producer: Producer) -> None:
    publisher = a_publisher(1_000_000)
    writes = [asyncio.create_task(publisher.publish([LARGE])) for _ in range(3)]
    await until(lambda: 3 == producer.sent)
    producer.end(0, NotLeaderForPartitionError())
    for write in writes:
        with pytest.raises(LogUnavailableError, match="NotLeaderForPartitionError"):
            await write
    assert 0 == publisher._room.taken


class Heard:
    """What somebody was told who made an offer."""

    def __init__(self) -> None:
        self.answers: list[Exception | None] = []

    def __call__(self, error: Exception | None) -> None:
        self.answers.append(error)


async def an_open_publisher(producer: Producer, in_flight: int) -> KafkaPublisher:
    publisher = a_publisher(in_flight)
    writing = asyncio.create_task(publisher.publish([SMALL]))
    await until(lambda: 1 == producer.sent)
    producer.end(0)
    await writing
    return publisher


async def test_an_offer_is_answered_once_it_is_acknowledged(producer: Producer) -> None:
    publisher, heard = await an_open_publisher(producer, 10_000), Heard()
    assert publisher.offer([SMALL], heard)
    await asyncio.sleep(0)
    assert [] == heard.answers
    producer.end(1)
    await until(lambda: [None] == heard.answers)
    assert 0 == publisher._room.taken


async def test_an_offer_that_fails_says_why(producer: Producer) -> None:
    publisher, heard = await an_open_publisher(producer, 10_000), Heard()
    assert publisher.offer([SMALL], heard)
    producer.end(1, NotLeaderForPartitionError())
    await until(lambda: len(heard.answers) == 1)
    assert isinstance(heard.answers[0], LogUnavailableError)


async def test_an_offer_that_nobody_answers_is_given_up_once(producer: Producer) -> None:
    publisher, heard = await an_open_publisher(producer, 10_000), Heard()
    later = Heard()
    assert publisher.offer([SMALL], heard)
    assert publisher.offer([SMALL], later)
    await until(lambda: len(heard.answers) == len(later.answers) == 1)
    assert isinstance(heard.answers[0], LogUnavailableError)
    producer.end(1)
    await until(lambda: 0 == publisher._room.taken)
    assert 1 == len(heard.answers)


async def test_an_offer_is_declined_when_something_has_to_be_waited_for(producer: Producer) -> None:
    heard = Heard()
    assert not a_publisher(10_000).offer([SMALL], heard)
    publisher = await an_open_publisher(producer, 10_000)
    assert not publisher.offer([], heard)
    assert publisher.offer([LARGE], heard)
    assert not publisher.offer([LARGE], heard)
    assert not publisher.offer([Output(EVENTS_DLQ, None, b"x")], heard)
    producer._message_accumulator._closed = True
    assert not publisher.offer([SMALL], heard)
    with pytest.raises(RecordTooLargeError):
        publisher.offer([Output(EVENTS, b"k", b"x" * 2_000_000)], heard)
    assert [] == heard.answers


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
