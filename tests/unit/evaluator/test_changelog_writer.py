"""What the broker says of a batch decides whether the same may be appended again, by whom, and what comes before it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    CoordinatorNotAvailableError,
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    NotEnoughReplicasError,
    OutOfOrderSequenceNumber,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatch

from services.evaluator.changelog.ports import FencedError
from services.evaluator.changelog.records import Stamp
from services.evaluator.changelog.writer import ChangelogWriter, EpochTooLargeError, WriterFailedError
from shared.clock import DAY
from shared.errors import ConfigurationError
from shared.log import LogUnavailableError
from tests.fakes import FakeClock

META = (b"m", b"x")


class Broker:
    """Answers as it is told to, one answer a request and then well; ``taken`` are the batches that it has answered."""

    def __init__(self, *answers: KafkaError | None) -> None:
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
        self.answers = list(answers)
        self.taken: list[tuple[int, int, list[bytes | None]]] = []
        self.epoch = -1

    async def coordinator_lookup(self, *_: Any) -> int:
        return 1

    def force_metadata_update(self) -> None:
        pass

    async def send(self, _: int, request: Any, **__: Any) -> Any:
        error = self.answers.pop(0) if self.answers else None
        if isinstance(request, ProduceRequest):
            [(_, [(_, buffer)])] = request._topics
            batch = DefaultRecordBatch(bytes(buffer))
            self.taken.append((batch.producer_epoch, batch.base_sequence, [record.value for record in batch]))
            if isinstance(error, KafkaConnectionError | RequestTimedOutError):
                raise error
            return SimpleNamespace(topics=[("topic", [(0, error.errno if error else 0, len(self.taken), -1, 0)])])
        self.epoch += 1
        return SimpleNamespace(error_code=error.errno if error else 0, producer_id=7, producer_epoch=self.epoch)


async def writing(broker: Broker, clock: FakeClock | None = None) -> ChangelogWriter:
    writer = ChangelogWriter("127.0.0.1:1", prefix="test.", clock=clock or FakeClock(0))
    writer._client = broker
    await writer.take_over(0)
    return writer


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), TopicAuthorizationFailedError()])
async def test_a_producer_that_failed_for_good_is_not_asked_again(error: KafkaError) -> None:
    """It would answer the same for ever, and nobody would see it: the error must end the process."""
    writer = await writing(Broker(None, error))
    with pytest.raises(WriterFailedError):
        await writer.append(0, [META], Stamp(1, 1))


@pytest.mark.parametrize("error", [NotEnoughReplicasError(), RequestTimedOutError(), KafkaConnectionError()])
async def test_what_passes_by_itself_may_be_tried_again(error: KafkaError) -> None:
    """As the same batch of the same number: the broker may have it already, and takes it once."""
    broker = Broker(None, error)
    writer = await writing(broker)
    with pytest.raises(LogUnavailableError):
        await writer.append(0, [META], Stamp(1, 1))
    assert 2 == await writer.append(0, [META], Stamp(1, 1))
    assert [(0, 0, [b"x"]), (0, 0, [b"x"])] == broker.taken
    await writer.append(0, [(b"m", b"y")], Stamp(1, 2))
    assert (0, 1, [b"y"]) == broker.taken[-1]


async def test_what_was_not_answered_comes_before_anything_else() -> None:
    """Nobody knows its successor's number before it is known whether the broker has it."""
    broker = Broker(None, RequestTimedOutError())
    writer = await writing(broker)
    with pytest.raises(LogUnavailableError):
        await writer.append(0, [(b"c:u:1", b"r"), META], Stamp(1, 1))
    assert 3 == await writer.append(0, [(b"m", b"y")], Stamp(1, 2))
    assert [(0, 0, [b"r", b"x"]), (0, 0, [b"r", b"x"]), (0, 2, [b"y"])] == broker.taken


async def test_one_whom_the_broker_shuts_out_is_told_so() -> None:
    writer = await writing(Broker(None, InvalidProducerEpoch()))
    with pytest.raises(FencedError):
        await writer.append(0, [META], Stamp(1, 1))


async def test_a_takeover_waits_for_the_brokers_coordinator() -> None:
    broker = Broker(CoordinatorNotAvailableError())
    writer = await writing(broker)
    await writer.append(0, [META], Stamp(1, 1))
    assert [(1, 0, [b"x"])] == broker.taken


async def test_a_takeover_without_the_right_to_it_says_who_must_grant_what() -> None:
    with pytest.raises(ConfigurationError, match=r"transactional ids that begin with test\.contacts-changelog"):
        await writing(Broker(TransactionalIdAuthorizationFailed()))


async def test_the_producer_is_asked_for_anew_each_day_so_that_the_broker_does_not_forget_it() -> None:
    clock, broker = FakeClock(0), Broker()
    writer = await writing(broker, clock)
    for at in (0, DAY - 1, DAY, DAY + 1):
        clock.now = at
        await writer.append(0, [META], Stamp(1, 1))
    assert [(0, 0), (0, 1), (1, 0), (1, 1)] == [(epoch, sequence) for epoch, sequence, _ in broker.taken]


async def test_an_epoch_that_no_batch_takes_is_refused_before_it_is_sent() -> None:
    broker = Broker()
    writer = await writing(broker)
    with pytest.raises(EpochTooLargeError):
        await writer.append(0, [(b"c:u:1", b"x" * 3_000_000), (b"m", b"x" * 1_500_000)], Stamp(1, 1))
    assert [] == broker.taken
