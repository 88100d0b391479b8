"""Follows the changelogs of partitions that another worker owns, so that taking one over costs only their tail.

Nothing is written to Kafka and nothing decided here. What is followed is an ``Image`` like an owner's; its owner-to-be
reads on from its mark and proves it, as it does with rows that a restart finds on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.evaluator.changelog.image import Image
from services.evaluator.changelog.partition import read_incarnation
from services.evaluator.changelog.rows import Rows, StateUnreadableError
from shared.clock import SECOND, Clock, monotonic_clock
from shared.kafka.batches import take
from shared.log import LogReader, LogRecord, LogUnavailableError
from shared.messages.topics import CHANGELOG
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

RECORDS_AT_ONCE = 500
"""Taken in between two turns of everybody else: about 1 ms of work."""
REST = 4
"""After so much work, so many times as long is left to the partitions that this worker owns: a fifth of it at most."""
_POLL = 0.2  # s
_RETRY = 1.0  # s
_PARTITION_BYTES = 1024 * 1024
_FETCH_BYTES = 8 * 1024 * 1024
"""Of all partitions together, on their way from one broker; a record batch that is longer comes whole."""


class Source(Protocol):
    """The changelogs of some partitions, read side by side. Adapters: ``KafkaSource``, a fake."""

    def assign(self, offsets: dict[int, int]) -> None:
        """Read these partitions from these offsets on, and no others; what was fetched before is dropped."""

    async def take(self) -> tuple[int, list[LogRecord], int] | None:
        """Return the next records of one partition, and that partition's end; None: there are none now."""


class KafkaSource:
    """One consumer without a group."""

    def __init__(self, bootstrap: str, *, prefix: str) -> None:
        """Nothing is connected before ``start``."""
        self._topic = prefix + CHANGELOG
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_PARTITION_BYTES,
            fetch_max_bytes=_FETCH_BYTES,
        )

    async def start(self) -> None:
        """Connect."""
        await self._consumer.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def assign(self, offsets: dict[int, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        self._consumer.assign([TopicPartition(self._topic, partition) for partition in offsets])
        for partition, offset in offsets.items():
            self._consumer.seek(TopicPartition(self._topic, partition), offset)

    async def take(self) -> tuple[int, list[LogRecord], int] | None:
        """Return the next records of one partition, and its end."""
        try:
            fetched = await take(self._consumer, _POLL)
        except KafkaError as error:
            _LOG.warning("standby_unavailable", error=repr(error))
            await asyncio.sleep(_RETRY)
            return None
        if fetched is None:
            return None
        place, records = fetched
        if place not in self._consumer.assignment():  # it was taken away while others had their turn
            return None
        return place.partition, records, self._consumer.highwater(place) or 0


class Standbys:
    """The images of partitions that are not owned here. All but ``run`` come from the handler of assignments."""

    def __init__(
        self,
        source: Source,
        reader: LogReader,
        open_rows: Callable[[int], Rows],
        metrics: Metrics,
        *,
        clock: Clock = monotonic_clock,
    ) -> None:
        """``clock`` says how long work took."""
        self._source = source
        self._reader = reader
        self._open_rows = open_rows
        self._metrics = metrics
        self._clock = clock
        self._wanted: frozenset[int] = frozenset()
        self._images: dict[int, Image] = {}
        self._assignment = 0  # counts: whatever was fetched or asked for before it last rose is void

    def follow(self, partitions: frozenset[int]) -> None:
        """Follow these and no others; what is held of others is closed."""
        self._wanted = partitions
        for partition in self._images.keys() - partitions:
            self._release(partition).rows.close()
        self._assign()

    def give(self, partition: int, image: Image) -> None:
        """Take over the image of a partition that was owned here."""
        if image.rewind():
            self._images[partition] = image
            self._assign()
        else:
            image.rows.close()

    def take(self, partition: int) -> Image | None:
        """Hand over the image of a partition that is to be owned here, if there is one, and leave it alone."""
        self._wanted -= {partition}
        image = self._release(partition) if partition in self._images else None
        self._assign()
        return image

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self._open_missing()
            if not self._images:
                await asyncio.sleep(_POLL)
                continue
            assignment = self._assignment
            taken = await self._source.take()
            if taken is not None and assignment == self._assignment:
                await self._apply(*taken)

    async def _open_missing(self) -> None:
        for partition in sorted(self._wanted - self._images.keys()):
            assignment = self._assignment
            try:
                incarnation = await read_incarnation(self._reader, partition)
            except LogUnavailableError as error:
                _LOG.warning("standby_unavailable", partition=partition, error=str(error))
                await asyncio.sleep(_RETRY)
                return
            # Nothing may come between this and the opening: an owner could open the same rows.
            if assignment != self._assignment:
                return
            image = self._images[partition] = Image(self._open_rows(partition), incarnation)
            _LOG.info("standby_follows", partition=partition, begin=image.next_offset)
            self._assign()

    async def _apply(self, partition: int, records: Sequence[LogRecord], end: int) -> None:
        assignment, image = self._assignment, self._images[partition]
        for begin in range(0, len(records), RECORDS_AT_ONCE):
            started = self._clock()
            some = records[begin : begin + RECORDS_AT_ONCE]
            try:
                if some[0].offset < image.next_offset:
                    raise StateUnreadableError("the changelog was cut off")  # noqa: TRY301 - as what follows
                image.apply(some)
                if image.refuted:
                    raise StateUnreadableError(  # noqa: TRY301 - as above
                        "the changelog does not have the records that it was continued from"
                    )
            except StateUnreadableError as error:
                self._release(partition)
                image.rows.discard(str(error))
                image.rows.close()
                self._assign()
                await asyncio.sleep(_RETRY)
                return
            self._metrics.standby_lag.labels(str(partition)).set(max(0, end - image.next_offset))
            await asyncio.sleep(REST * (self._clock() - started) / SECOND)
            if assignment != self._assignment:
                return

    def _assign(self) -> None:
        self._assignment += 1
        self._source.assign({partition: image.next_offset for partition, image in self._images.items()})

    def _release(self, partition: int) -> Image:
        self._metrics.standby_lag.labels(str(partition)).set(0)
        self._metrics.standby_lag.remove(str(partition))
        return self._images.pop(partition)
