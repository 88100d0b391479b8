"""What the changelog's producer says decides whether the same batch may be appended again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    NotEnoughReplicasError,
    OutOfOrderSequenceNumber,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)

from services.evaluator.changelog.records import Stamp
from services.evaluator.changelog.writer import ChangelogWriter, EpochTooLargeError, WriterFailedError
from shared.log import LogUnavailableError


async def answering(error: KafkaError) -> ChangelogWriter:
    """A writer whose producer answers each batch with ``error``."""
    writer = ChangelogWriter("127.0.0.1:1", prefix="test.", clock=lambda: 0)

    async def send_batch(*_: Any, **__: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    writer._producer.send_batch = send_batch
    return writer


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), TopicAuthorizationFailedError()])
async def test_a_producer_that_failed_for_good_is_not_asked_again(error: KafkaError) -> None:
    """It would answer the same for ever, and nobody would see it: the error must end the process."""
    writer = await answering(error)
    with pytest.raises(WriterFailedError):
        await writer.append(0, [(b"m", b"x")], Stamp(1, 1))


@pytest.mark.parametrize("error", [NotEnoughReplicasError(), RequestTimedOutError(), KafkaTimeoutError()])
async def test_what_passes_by_itself_may_be_tried_again(error: KafkaError) -> None:
    writer = await answering(error)
    with pytest.raises(LogUnavailableError):
        await writer.append(0, [(b"m", b"x")], Stamp(1, 1))


async def test_an_epoch_that_no_batch_takes_is_refused_before_it_is_sent() -> None:
    writer = await answering(OutOfOrderSequenceNumber())
    with pytest.raises(EpochTooLargeError):
        await writer.append(0, [(b"c:u:1", b"x" * 3_000_000), (b"m", b"x" * 1_500_000)], Stamp(1, 1))
