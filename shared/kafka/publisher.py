"""Writes to Kafka so that what was acknowledged is durable, and what was not is reported within seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.errors import ConfigurationError
from shared.kafka.partition import partition_count, partition_of
from shared.log import LogUnavailableError, Output, RecordTooLargeError, fits
from shared.messages.topics import TopicName

_LOG = structlog.get_logger(__name__)

# A quarter of the smallest topic limit: many records share one request, and a batch is never refused for its size.
_BATCH_BYTES = 256 * 1024
_TOGETHER = 20
"""Records of one call and partition from which on they go as batches of their own, which takes a fraction of the CPU
time of sending each. Fewer, of many callers at once, are better off sharing batches."""
# A request to a hung broker ends after its own time-out of four seconds, and so may the look for another broker.
_CLOSE_PATIENCE = 10.0


_Place = tuple[str, int]  # topic and partition


class _Record(NamedTuple):
    place: _Place
    key: bytes | None
    value: bytes | None


class KafkaPublisher:
    """A ``Publisher`` over an idempotent producer with acks=all.

    A dead broker gives LogUnavailableError after ``timeout`` seconds; the producer goes on trying to deliver meanwhile,
    so such a record may still arrive, in its order. A producer that failed for good is replaced by the next call.
    """

    def __init__(
        self, bootstrap: str, *, prefix: str, partitions: int, timeout: float = 5.0, client_id: str = "kikkake"
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._partitions = partitions
        self._timeout = timeout
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._checked: set[TopicName] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def start(self) -> None:
        """Connect. Raises LogUnavailableError when no broker answers in time; ``publish`` will then try again."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._live()
        except (TimeoutError, KafkaError) as error:
            raise LogUnavailableError(f"no Kafka broker answers at {self._bootstrap}: {error!r}") from error

    async def stop(self) -> None:
        """Wait for what is under way, at most ``timeout`` seconds, and disconnect. Repeating is harmless."""
        self._stopped = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer, self._timeout)
        await asyncio.gather(*self._retiring)

    async def ready(self) -> bool:
        """Return whether a broker answers now."""
        try:
            async with asyncio.timeout(2):
                producer = await self._live()
                await producer.client.fetch_all_metadata()
        except (TimeoutError, KafkaError, LogUnavailableError):
            return False
        return True

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Return once every output is acknowledged by all in-sync replicas.

        Raises LogUnavailableError, RecordTooLargeError (nothing was written) or ConfigurationError (the topic has
        another partition count than configured).
        """
        records = [self._record(output) for output in outputs]
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._live()
                for topic in {output.topic for output in outputs} - self._checked:
                    await self._check_partitions(producer, topic)
                await self._send(producer, records)
        except TimeoutError as error:
            raise LogUnavailableError(f"Kafka did not acknowledge within {self._timeout:g} s") from error
        except KafkaError as error:
            raise LogUnavailableError(f"Kafka did not take the records: {error!r}") from error

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[_Record]) -> None:
        futures: list[asyncio.Future[Any]] = []
        try:
            for (topic, partition), group in _by_place(records).items():
                if len(group) < _TOGETHER:
                    for record in group:
                        future = await producer.send(topic, record.value, record.key, partition)
                        futures.append(future)
                    continue
                for batch in _batches(producer, group):
                    future = await producer.send_batch(batch, topic, partition=partition)
                    futures.append(future)
            if futures:
                # Not gather: a caller that gives up must not cancel what is on its way.
                await asyncio.wait(futures)
            for future in futures:
                future.result()
        except KafkaError as error:
            self._judge(producer, error)
            raise
        finally:
            for future in futures:
                future.add_done_callback(_retrieve)

    def _record(self, output: Output) -> _Record:
        # Refused here: a batch that the broker refuses leaves a gap in the producer's sequence and kills it.
        if not fits(output):
            raise RecordTooLargeError(f"a record of {len(output.value or b'')} bytes is too large for {output.topic}")
        count = partition_count(output.topic, self._partitions)
        partition = output.partition
        if partition is None:
            if output.key is None and count > 1:
                raise ValueError(f"a record of {output.topic} needs a key or a partition")
            partition = 0 if output.key is None else partition_of(output.key, count)
        elif not 0 <= partition < count:
            raise ValueError(f"{output.topic} has partitions 0 to {count - 1}, not {partition}")
        return _Record((self._prefix + output.topic, partition), output.key, output.value)

    async def _live(self) -> AIOKafkaProducer:
        """Return the started producer, starting one if there is none."""
        async with self._connecting:
            if self._stopped:
                raise LogUnavailableError("the publisher was stopped")
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=8 * 1024 * 1024,
                    # Below our own timeout, so that a hung connection is given up and renewed first.
                    request_timeout_ms=int(self._timeout * 800),
                    metadata_max_age_ms=60_000,
                    retry_backoff_ms=200,
                )
                try:
                    await producer.start()
                except BaseException:
                    self._retire(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _check_partitions(self, producer: AIOKafkaProducer, topic: TopicName) -> None:
        found = len(await producer.partitions_for(self._prefix + topic))
        expected = partition_count(topic, self._partitions)
        if found != expected:
            raise ConfigurationError(
                f"topic {self._prefix}{topic} has {found} partitions; {expected} are configured (KIKKAKE_PARTITIONS)"
            )
        self._checked.add(topic)

    def _judge(self, producer: AIOKafkaProducer, error: KafkaError) -> None:
        """Give up ``producer`` unless ``error`` passes by itself: an idempotent producer recovers from no other."""
        if error.retriable or isinstance(error, KafkaTimeoutError):
            return
        if self._producer is producer:
            _LOG.warning("log.producer_replaced", error=repr(error))
            self._producer = None
            self._checked.clear()
            self._retire(producer)

    def _retire(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.get_running_loop().create_task(_close(producer, 0))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _by_place(records: Sequence[_Record]) -> dict[_Place, list[_Record]]:
    places: dict[_Place, list[_Record]] = {}
    for record in records:
        places.setdefault(record.place, []).append(record)
    return places


def _batches(producer: AIOKafkaProducer, records: Sequence[_Record]) -> Iterator[BatchBuilder]:
    """Yield ``records``, of which there are some, in batches of ``_BATCH_BYTES``; a larger one is alone in its own."""
    batch = producer.create_batch()
    for record in records:
        if batch.append(timestamp=None, key=record.key, value=record.value) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(timestamp=None, key=record.key, value=record.value)
    yield batch


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


async def _close(producer: AIOKafkaProducer, patience: float) -> None:
    """Stop ``producer``; what is not delivered after ``patience`` seconds is given up.

    aiokafka's own ``stop`` waits for ever when the broker is gone, for an idempotent batch never expires. So the sender
    is ended first, by hand (aiokafka is pinned), and then the batches that nobody will deliver any more.
    """
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait({stopping}, timeout=patience)
    if stopping.done():
        stopping.result()
        return
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(_CLOSE_PATIENCE):
            await producer._sender.close()  # noqa: SLF001
            await stopping
    accumulator = producer._message_accumulator  # noqa: SLF001
    # A failed batch takes itself out of this set, and one that waits for its retry is not in it: a KeyError otherwise.
    accumulator._pending_batches.update(*accumulator._batches.values())  # noqa: SLF001
    for batch in tuple(accumulator._pending_batches):  # noqa: SLF001
        batch.drain_ready()
        batch.failure(RequestTimedOutError("the publisher was stopped"))
    # Lets what waited for those batches run to its end.
    await asyncio.sleep(0)
