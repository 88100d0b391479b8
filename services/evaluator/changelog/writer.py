"""Writes record batches to the changelog: the broker appends each whole or not at all, and none of a former owner.

Each partition has a producer id of its own, which belongs to the partition and not to a process: that of a
transactional id. Whoever takes the partition over asks for it and is given the next *producer epoch*, and once a batch
of that epoch is in the log, its leader refuses every batch of a lower one: what waited in a paused worker, in its
socket or in the network is never appended behind the next owner's claim. It is Kafka's own fence between transactional
producers, without the transactions: none is ever begun, so there are no control records and no reader waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition
from aiokafka import errors as kafka
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from services.evaluator.changelog.ports import FencedError
from services.evaluator.changelog.records import Stamp
from shared.clock import DAY, Clock
from shared.errors import ConfigurationError, PermanentError
from shared.log import LogUnavailableError
from shared.messages.topics import CHANGELOG, TOPICS

_LOG = structlog.get_logger(__name__)
_BATCH_BYTES = next(topic.max_message_bytes for topic in TOPICS if topic.name == CHANGELOG) - 64 * 1024
_REQUEST_TIMEOUT = 10_000  # ms
_RETRY = 0.1  # s
_ALL_IN_SYNC = -1
_TRANSACTION_TIMEOUT = 60_000  # ms; the broker wants one, and none is ever begun
_CONNECTIONS = 8
"""To each broker. It takes up a connection's next request when the last one is answered, so partitions would wait for
each other on one."""
_RENEW = DAY
"""A broker forgets a transactional id after a week without use (``transactional.id.expiration.ms``), and with it whom
to shut out."""
_PASSING = (kafka.CoordinatorNotAvailableError, kafka.CoordinatorLoadInProgressError, kafka.NotCoordinatorError)

_Records = Sequence[tuple[bytes, bytes | None]]


class EpochTooLargeError(PermanentError):
    """An epoch is larger than one record batch of the changelog."""


class WriterFailedError(PermanentError):
    """The broker refuses this producer for good: no later batch of it would be taken."""


class _Unanswered(msgspec.Struct, frozen=True):
    """A batch of which is not known whether the broker has it."""

    records: _Records
    stamp: Stamp
    batch: bytes


class _Producer(msgspec.Struct):
    """One partition's, since ``taken`` (ms). ``sequence`` is that of the next batch's first record."""

    number: int
    epoch: int
    taken: int
    sequence: int = 0
    unanswered: _Unanswered | None = None


class ChangelogWriter:
    """The writer of a worker's partitions; of one partition it writes one batch at a time.

    A batch that was not answered is sent again as it is, before any other: the broker knows its sequence number and
    takes it once.
    """

    def __init__(self, bootstrap: str, *, prefix: str, clock: Clock) -> None:
        """``clock`` stamps the records; nothing is decided by it."""
        self._topic = prefix + CHANGELOG
        self._clock = clock
        self._client = AIOKafkaClient(
            bootstrap_servers=bootstrap, client_id="kikkake-changelog", request_timeout_ms=_REQUEST_TIMEOUT
        )
        self._producers: dict[int, _Producer] = {}

    async def start(self) -> None:
        """Connect. Raises LogUnavailableError."""
        try:
            await self._client.bootstrap()
            await self._client.set_topics([self._topic])
        except kafka.KafkaError as error:
            raise LogUnavailableError(f"the changelog cannot be written: {error!r}") from error

    async def stop(self) -> None:
        """Disconnect."""
        await self._client.close()

    async def take_over(self, partition: int) -> None:
        """Become the partition's writer; waits until a broker answers. Raises ConfigurationError, WriterFailedError."""
        while True:
            try:
                self._producers[partition] = await self._new_producer(partition)
            except LogUnavailableError as error:
                _LOG.warning("changelog_unavailable", partition=partition, error=str(error))
                await asyncio.sleep(_RETRY)
            else:
                return

    async def append(self, partition: int, records: _Records, stamp: Stamp) -> int:
        """Append ``records`` as one batch and return the offset of the first, once acknowledged by all in sync.

        ``take_over`` comes before. Raises LogUnavailableError (it may or may not be there; the same records may be
        appended again), FencedError and EpochTooLargeError (nothing was written), WriterFailedError (unknown).
        """
        producer = self._producers[partition]
        tried = producer.unanswered
        if tried is not None:
            offset = await self._send(partition, producer, tried)
            if (tried.records, tried.stamp) == (records, stamp):
                return offset
        if self._clock() - producer.taken >= _RENEW:
            producer = self._producers[partition] = await self._new_producer(partition)
        batch = _batch(records, stamp, self._clock(), producer)
        return await self._send(partition, producer, _Unanswered(records, stamp, batch))

    async def _send(self, partition: int, producer: _Producer, attempt: _Unanswered) -> int:
        producer.unanswered = attempt
        request = ProduceRequest(None, _ALL_IN_SYNC, _REQUEST_TIMEOUT, [(self._topic, [(partition, attempt.batch)])])
        leader = self._client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        if leader is None or leader < 0:
            self._client.force_metadata_update()
            raise LogUnavailableError(f"{self._topic}/{partition} has no leader")
        # Any hashable names a connection.
        connection = ("changelog", partition % _CONNECTIONS)
        try:
            response = await self._client.send(leader, request, group=connection)
        except kafka.KafkaError as error:
            raise self._failure(error) from error
        [(_, [(_, code, offset, *_)])] = response.topics
        if code:
            raise self._failure(kafka.for_code(code)())
        producer.sequence += len(attempt.records)
        producer.unanswered = None
        return int(offset)

    async def _new_producer(self, partition: int) -> _Producer:
        """Ask for the partition's producer id and the next epoch of it."""
        name = f"{self._topic}-{partition}"
        request = InitProducerIdRequest(name, _TRANSACTION_TIMEOUT)
        try:
            node = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, name)
            response = await self._client.send(node, request)
        except kafka.KafkaError as error:
            raise self._failure(error) from error
        if response.error_code:
            raise self._failure(kafka.for_code(response.error_code)())
        return _Producer(response.producer_id, response.producer_epoch, self._clock())

    def _failure(self, error: Any) -> Exception:
        """Return what ``error`` means to our caller."""
        if error.invalid_metadata:
            self._client.force_metadata_update()
        if isinstance(error, kafka.InvalidProducerEpoch):
            return FencedError()
        if isinstance(error, kafka.TransactionalIdAuthorizationFailed):
            return ConfigurationError(
                f"Kafka does not let this user write as transactional id {self._topic}-0, -1, ...: grant it the"
                f" operations Write and Describe on transactional ids that begin with {self._topic}"
            )
        if error.retriable or isinstance(error, _PASSING):
            return LogUnavailableError(f"the changelog was not written: {error!r}")
        return WriterFailedError(f"the changelog takes no more from this producer: {error!r}")


def _batch(records: _Records, stamp: Stamp, now: int, producer: _Producer) -> bytes:
    """Return the record batch as it is sent."""
    builder = BatchBuilder(_BATCH_BYTES, compression_type=0)
    headers = stamp.headers()
    for key, value in records:
        if builder.append(timestamp=now, key=key, value=value, headers=headers) is None:
            raise EpochTooLargeError(f"an epoch of {len(records)} records does not fit into {_BATCH_BYTES} bytes")
    builder._set_producer_state(producer.number, producer.epoch, producer.sequence)  # noqa: SLF001
    return bytes(builder._build())  # noqa: SLF001
