"""Follows the ``journeys`` topic: what is published reaches this worker without a restart.

An order's number is the topic's own time of creation (ms) plus the order's offset: it goes on growing when the topic is
created anew. What earlier releases numbered is smaller than any such time; it counts as of the topic that there is.

Services that start at once may each have written a first record: the time is that of the last one that stands before
anything else. One that stands further on would be the only one that compaction leaves, and every number would be
another; who sees it appends a *copy* of the first record, which says the time and stands last.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.published import compose
from shared.errors import BadMessageError, loggable
from shared.journeys.model import Definitions
from shared.journeys.published import Live, Published
from shared.log import LogRecord, LogRecreatedError, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.event import Marker
from shared.messages.topics import INCARNATION_KEY, JOURNEYS

_LOG = structlog.get_logger(__name__)
_POLL_MS = 200
_PARTITION = 0
_PATIENCE = 2.0
"""Seconds until an order that is not to be read yet is looked for: another broker may have been a moment ahead."""
_COPY = struct.Struct(">16xQ")
"""The value of a copy: an id as in every first record, and the time."""
_NUMBERS_BEGIN = 10**12
"""A time in September 2001: below it a number is a bare offset."""


class PublishedJourneys:
    """Reads the topic from its beginning and goes on. ``catalog`` is what a partition makes of its orders."""

    def __init__(
        self, bootstrap: str, *, prefix: str, base: Definitions, publish: Callable[[Sequence[Output]], Awaitable[None]]
    ) -> None:
        """``base`` are the journeys of this worker's own folder; ``publish`` as a ``Publisher``'s.

        Nothing is read before ``start``.
        """
        self.known = Published()
        self._base = base
        self._place = TopicPartition(prefix + JOURNEYS, _PARTITION)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            # Where it would go on otherwise, another topic of the same name has other orders.
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
        )
        self._moved = asyncio.Condition()
        self._position = 0
        self._first: int | None = None
        self._publish = publish
        self._wants_copy = False

    async def start(self) -> None:
        """Connect and read up to the end."""
        await self._consumer.start()
        self._consumer.assign([self._place])
        await self._consumer.seek_to_beginning(self._place)
        end = (await self._consumer.end_offsets([self._place]))[self._place]
        records: list[ConsumerRecord] = []
        while await self._consumer.position(self._place) < end:
            records += await self._poll()
        await self._note(records)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def run(self) -> None:
        """Read on until cancelled."""
        while True:
            if self._wants_copy and self._first is not None:
                copy = Output(JOURNEYS, INCARNATION_KEY, _COPY.pack(self._first), _PARTITION)
                with contextlib.suppress(LogUnavailableError):  # the next turn tries again
                    await self._publish([copy])
                    self._wants_copy = False
            await self._note(await self._poll())

    async def reach(self, number: int) -> None:
        """Return once the order of ``number`` has been read, and every definition before it.

        One of a topic that is no more is not waited for. Raises LogRecreatedError for one that nobody can have given.
        """
        offset = self._number(number) - self._since
        while self._position <= offset:
            try:
                async with asyncio.timeout(_PATIENCE), self._moved:
                    await self._moved.wait_for(lambda: self._position > offset)
            except TimeoutError:
                await self._require_given(offset)

    def require(self, journey: str, version: int) -> None:
        """Raise LogRecreatedError unless the version has been read, of which an order has."""
        if (journey, version) not in self.known.journeys:
            raise LogRecreatedError(
                f"{journey}@{version} was published, but {self._place.topic} no longer says what it is: the topic was"
                " created anew. Publish that version again (`kikkake journeys publish FOLDER`); until then the"
                " partitions that know of it stand still, for its runs would be lost"
            )

    def markers(self, after: int) -> Sequence[Marker]:
        """Return the orders that a partition which has read those up to number ``after`` has yet to read."""
        return self.known.markers(self._number(after))

    def catalog(self, live: Mapping[str, Live]) -> Catalog:
        """Return what decides in a partition that has read the orders ``live``. Raises LogRecreatedError."""
        for journey, order in live.items():
            self.require(journey, order.version)
        return compose(self._base, self.known, live)

    async def _require_given(self, offset: int) -> None:
        try:
            end = (await self._consumer.end_offsets([self._place]))[self._place]
        except KafkaError:
            return  # no broker answers: it may be there
        if offset >= end:
            raise LogRecreatedError(
                f"an order was read that {self._place.topic} does not have: the topic ends at {end}, the order is at"
                f" {offset}. It was cut off, or created anew by a machine whose clock is behind. Delete the topic,"
                " start again, and give its orders again (`kikkake journeys publish FOLDER`)"
            )

    @property
    def _since(self) -> int:
        return self._first or 0

    def _number(self, number: int) -> int:
        return self._since + number if 0 <= number < _NUMBERS_BEGIN else number

    def take(self, records: Sequence[ConsumerRecord | LogRecord]) -> None:
        """Take in what was read of the topic: at first all of it, then what comes."""
        if self._first is None:
            self._first = _created(records)
        for record in records:
            if record.key == INCARNATION_KEY:
                self._wants_copy = self.known.number >= 0 and _copied(record) is None
            elif record.value is not None:
                try:
                    self.known.take(self._since + record.offset, codec.JOURNEYS.decode(record.value))
                except (BadMessageError, ValueError) as error:
                    _LOG.error("published_record_unreadable", offset=record.offset, error=loggable(error))

    async def _poll(self) -> Sequence[ConsumerRecord]:
        try:
            polled = await self._consumer.getmany(self._place, timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            raise self._recreated() from error
        records: Sequence[ConsumerRecord] = polled.get(self._place, ())
        return records

    async def _note(self, records: Sequence[ConsumerRecord]) -> None:
        self.take(records)
        async with self._moved:
            self._position = await self._consumer.position(self._place)
            self._moved.notify_all()

    def _recreated(self) -> LogRecreatedError:
        return LogRecreatedError(f"{self._place.topic} was created anew while we ran; started again, we read it whole")


def _created(records: Sequence[ConsumerRecord | LogRecord]) -> int | None:
    """Return when the topic was created, by its first record or a copy of it; None: it has neither."""
    copies = (_copied(record) for record in records if record.key == INCARNATION_KEY)
    first = [*itertools.takewhile(lambda record: record.key == INCARNATION_KEY, records)]
    return next((at for at in copies if at is not None), first[-1].timestamp if first else None)


def _copied(record: ConsumerRecord | LogRecord) -> int | None:
    """Return the time that ``record``, which has a first record's key, says as a copy; None: it is none."""
    value = record.value or b""
    return int(_COPY.unpack(value)[0]) if len(value) == _COPY.size else None


def orders_in(records: Sequence[LogRecord]) -> Iterator[Marker]:
    """Yield the orders among ``records``, which alone with ticks have no key."""
    for record in records:
        if record.key is None:
            with contextlib.suppress(BadMessageError):
                message = codec.EVENTS.decode(record.value)
                if isinstance(message, Marker):
                    yield message
