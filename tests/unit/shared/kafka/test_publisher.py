"""The publisher's bound: what is on its way to the broker, whoever still waits for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.kafka.publisher import KafkaPublisher
from shared.log import LogUnavailableError, Output
from shared.messages.topics import EVENTS


class Producer:
    """Takes everything and acknowledges nothing by itself."""

    def __init__(self) -> None:
        # Closed to the short way, so that each record comes by ``send``.
        self._message_accumulator = SimpleNamespace(_closed=True)
        self.sent: list[asyncio.Future[Any]] = []

    async def send(self, *_: object) -> asyncio.Future[Any]:
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]

    async def partitions_for(self, _: str) -> set[int]:
        return {0}


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    producer = Producer()

    async def live(_: KafkaPublisher) -> Producer:
        return producer

    monkeypatch.setattr(KafkaPublisher, "_live", live)
    return producer


def a_publisher(in_flight: int) -> KafkaPublisher:
    return KafkaPublisher("127.0.0.1:1", prefix="", partitions=1, timeout=0.05, in_flight=in_flight)


LARGE = Output(EVENTS, b"k", b"x" * 6_000)


async def test_what_was_given_up_takes_room_until_the_broker_has_it(producer: Producer) -> None:
    """Or a broker that is slow for an hour would find an hour's repeats in memory."""
    publisher = a_publisher(10_000)
    for _ in range(20):
        with pytest.raises(LogUnavailableError):
            await publisher.publish([LARGE])
    assert 1 == len(producer.sent)
    producer.sent[0].set_result(None)
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailableError):
        await publisher.publish([LARGE])
    assert 2 == len(producer.sent)


async def test_what_is_acknowledged_or_refused_gives_its_room_back(producer: Producer) -> None:
    publisher = a_publisher(10_000)
    for number in range(5):
        publishing = asyncio.create_task(publisher.publish([LARGE]))
        while len(producer.sent) <= number:
            await asyncio.sleep(0)
        producer.sent[number].set_result(None)
        await publishing
    assert 0 == publisher._room.taken
