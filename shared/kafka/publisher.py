"""Writes to Kafka so that what was acknowledged is durable, and what was not is reported within seconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, RequestTimedOutError
from aiokafka.structs import TopicPartition

from shared.errors import ConfigurationError
from shared.kafka.outgoing import Outgoing, Part
from shared.kafka.partition import partition_count, partition_of
from shared.kafka.patience import Answered, Patience
from shared.log import LogUnavailableError, Output, RecordTooLargeError, fits
from shared.messages.topics import TopicName
from shared.room import Room

_LOG = structlog.get_logger(__name__)

# A quarter of the smallest topic limit: many records share one request, and a batch is never refused for its size.
_BATCH_BYTES = 256 * 1024
IN_FLIGHT_BYTES = 64 * 1024 * 1024
"""Of records handed to the producer and not acknowledged yet, those included whose caller has given up waiting."""
_RECORD_BYTES = 512
"""What a record takes beside its bytes: its share of a future, of callbacks and of a batch."""
# A request to a hung broker ends after its own time-out of four seconds, and so may the look for another broker.
_CLOSE_PATIENCE = 10.0

_Records = dict[TopicPartition, list[Output]]


class KafkaPublisher:
    """A ``Publisher`` over an idempotent producer with acks=all.

    A dead broker gives LogUnavailableError after ``timeout`` seconds; the producer goes on trying to deliver meanwhile,
    so such a record may still arrive, in its order. A producer that failed for good is replaced by the next call.
    When ``in_flight`` bytes are on their way, calls wait for room, and for no longer than that.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        partitions: int,
        timeout: float = 5.0,
        client_id: str = "kikkake",
        in_flight: int = IN_FLIGHT_BYTES,
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
        self._room = Room(in_flight)
        self._topics: dict[TopicName, tuple[TopicPartition, ...]] = {}
        self._outgoing = Outgoing()
        self._patience = Patience(timeout, self._late)

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
        await self._publish(outputs)

    async def append(self, outputs: Sequence[Output]) -> list[int]:
        """Publish ``outputs``, all of one partition, and return each one's offset.

        -1: the broker has it from an earlier try and says not where. Raises as ``publish`` does.
        """
        offsets: list[int] = []
        for future, first, end in await self._publish(outputs):
            base = future.result().offset
            offsets += [base + number if base >= 0 else -1 for number in range(first, end)]
        return offsets

    def offer(self, outputs: Sequence[Output], answered: Answered) -> bool:
        """Publish ``outputs`` if nothing has to be waited for to begin with; return whether that was done.

        ``answered`` is called later, once, and must not raise: with None when ``publish`` would return, else with what
        it would raise. Raises RecordTooLargeError.
        """
        topics, records, size = self._sorted(outputs)
        producer = self._producer
        if not records or producer is None or not topics <= self._checked or not self._room.take_now(size):
            return False

        def over(error: KafkaError | None) -> None:
            self._room.give(size)
            waiter.end(None if error is None else self._judged(producer, error))

        try:
            self._outgoing.put(producer, records, over)
        except KafkaError as error:
            self._room.give(size)
            self._judged(producer, error)
            return False
        waiter = self._patience.begin(answered)
        return True

    async def _publish(self, outputs: Sequence[Output]) -> list[Part]:
        topics, records, size = self._sorted(outputs)
        if not records:
            return []
        try:
            producer = self._producer
            if producer is None or not topics <= self._checked:
                async with asyncio.timeout(self._timeout):
                    producer = await self._live()
                    for topic in topics - self._checked:
                        await self._check_partitions(producer, topic)
            return await self._send(producer, records, size)
        except TimeoutError as error:
            raise self._late() from error
        except KafkaError as error:
            raise _not_taken(error) from error

    async def _send(self, producer: AIOKafkaProducer, records: _Records, size: int) -> list[Part]:
        """Return once ``records``, of ``size`` bytes, are acknowledged. Raises TimeoutError and as ``publish``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        if not self._room.take_now(size):
            async with asyncio.timeout_at(deadline):
                await self._room.take(size)
        acknowledged: asyncio.Future[None] = loop.create_future()

        def over(error: KafkaError | None) -> None:
            self._room.give(size)
            judged = None if error is None else self._judged(producer, error)
            if acknowledged.done():
                return
            if judged is None:
                acknowledged.set_result(None)
            else:
                acknowledged.set_exception(judged)

        try:
            parts = self._outgoing.put(producer, records, over)
        except KafkaError as error:
            self._room.give(size)
            raise self._judged(producer, error) from error
        # What waits gives up, and not what is on its way: others may wait for the same.
        patience = loop.call_at(deadline, _give_up, acknowledged)
        try:
            await acknowledged
        finally:
            patience.cancel()
        return parts

    def _sorted(self, outputs: Sequence[Output]) -> tuple[set[TopicName], _Records, int]:
        """Return the topics of ``outputs``, these by where they go, and the bytes they take. Raises as ``_place``."""
        # By partition: in order within each, which is all that the log keeps of an order.
        records: _Records = {}
        topics: set[TopicName] = set()
        size = _RECORD_BYTES * len(outputs)
        for output in outputs:
            topics.add(output.topic)
            place = self._place(output)
            if place in records:
                records[place].append(output)
            else:
                records[place] = [output]
            size += len(output.value or b"") + len(output.key or b"")
        return topics, records, size

    def _place(self, output: Output) -> TopicPartition:
        """Return where ``output`` goes. Raises RecordTooLargeError, or ValueError if there is no such place."""
        # Refused here: a batch that the broker refuses leaves a gap in the producer's sequence and kills it.
        if not fits(output):
            raise RecordTooLargeError(f"a record of {len(output.value or b'')} bytes is too large for {output.topic}")
        places = self._topics.get(output.topic) or self._places(output.topic)
        if output.partition is not None:
            if not 0 <= output.partition < len(places):
                raise ValueError(f"{output.topic} has partitions 0 to {len(places) - 1}, not {output.partition}")
            return places[output.partition]
        if output.key is None:
            if len(places) > 1:
                raise ValueError(f"a record of {output.topic} needs a key or a partition")
            return places[0]
        return places[partition_of(output.key, len(places))]

    def _places(self, topic: TopicName) -> tuple[TopicPartition, ...]:
        count = partition_count(topic, self._partitions)
        found = self._topics[topic] = tuple(TopicPartition(self._prefix + topic, number) for number in range(count))
        return found

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

    def _judged(self, producer: AIOKafkaProducer, error: KafkaError) -> Exception:
        """Return what is told of ``error``; give up ``producer`` unless it passes by itself.

        An idempotent producer recovers from no other.
        """
        if not error.retriable and not isinstance(error, KafkaTimeoutError) and self._producer is producer:
            _LOG.warning("log.producer_replaced", error=repr(error))
            self._producer = None
            self._checked.clear()
            self._retire(producer)
        return _not_taken(error)

    def _late(self) -> LogUnavailableError:
        return LogUnavailableError(f"Kafka did not acknowledge within {self._timeout:g} s")

    def _retire(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.get_running_loop().create_task(_close(producer, 0))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


def _give_up(acknowledged: asyncio.Future[None]) -> None:
    if not acknowledged.done():
        acknowledged.set_exception(TimeoutError())


def _not_taken(error: KafkaError) -> LogUnavailableError:
    return LogUnavailableError(f"Kafka did not take the records: {error!r}")


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
