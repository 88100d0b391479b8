"""Writes record batches to the changelog: the broker appends each whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from services.evaluator.changelog.records import Stamp
from shared.clock import Clock
from shared.errors import PermanentError
from shared.log import LogUnavailableError
from shared.messages.topics import CHANGELOG, TOPICS

_LOG = structlog.get_logger(__name__)
_BATCH_BYTES = next(topic.max_message_bytes for topic in TOPICS if topic.name == CHANGELOG) - 64 * 1024


class EpochTooLargeError(PermanentError):
    """An epoch is larger than one record batch of the changelog."""


class WriterFailedError(PermanentError):
    """The producer has failed for good: no later batch of it would be taken."""


class ChangelogWriter:
    """One idempotent producer for all partitions of a worker.

    It is never replaced: a batch of the old one might arrive behind those of the new one, under the same claim. The
    process ends instead, and the next claim makes such a batch a stale writer's.
    """

    def __init__(self, bootstrap: str, *, prefix: str, clock: Clock) -> None:
        """``clock`` stamps the records; nothing is decided by it."""
        self._topic = prefix + CHANGELOG
        self._clock = clock
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
            max_request_size=2 * _BATCH_BYTES,
            request_timeout_ms=10_000,
            retry_backoff_ms=100,
        )

    async def start(self) -> None:
        """Connect. Raises LogUnavailableError."""
        try:
            await self._producer.start()
        except KafkaError as error:
            raise LogUnavailableError(f"the changelog cannot be written: {error!r}") from error

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def append(self, partition: int, records: Sequence[tuple[bytes, bytes | None]], stamp: Stamp) -> int:
        """Append ``records`` as one batch and return the offset of the first, once acknowledged by all in sync.

        Raises LogUnavailableError (it may or may not be there; the same batch may be appended again),
        WriterFailedError (it may or may not be there) and EpochTooLargeError (nothing was written).
        """
        batch = self._producer.create_batch()
        now = self._clock()
        headers = stamp.headers()
        for key, value in records:
            if batch.append(timestamp=now, key=key, value=value, headers=headers) is None:
                raise EpochTooLargeError(f"an epoch of {len(records)} records does not fit into {_BATCH_BYTES} bytes")
        try:
            future = await self._producer.send_batch(batch, self._topic, partition=partition)
            metadata = await asyncio.shield(future)
        except KafkaError as error:
            if not error.retriable and not isinstance(error, KafkaTimeoutError):
                raise WriterFailedError(f"the changelog takes no more from this producer: {error!r}") from error
            raise LogUnavailableError(f"the changelog did not take an epoch: {error!r}") from error
        return int(metadata.offset)
