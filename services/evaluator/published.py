"""Follows the ``journeys`` topic: what is published reaches this worker without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.published import compose
from shared.errors import BadMessageError, loggable
from shared.journeys.model import Definitions
from shared.journeys.published import Live, Published
from shared.messages import codec
from shared.messages.topics import INCARNATION_KEY, JOURNEYS

_LOG = structlog.get_logger(__name__)
_POLL_MS = 200
_PARTITION = 0


class PublishedJourneys:
    """Reads the topic from its beginning and goes on. ``catalog`` is what a partition makes of its orders."""

    def __init__(self, bootstrap: str, *, prefix: str, base: Definitions) -> None:
        """``base`` are the journeys of this worker's own folder. Nothing is read before ``start``."""
        self.known = Published()
        self._base = base
        self._place = TopicPartition(prefix + JOURNEYS, _PARTITION)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        self._moved = asyncio.Condition()
        self._position = 0

    async def start(self) -> None:
        """Connect and read up to the end."""
        await self._consumer.start()
        self._consumer.assign([self._place])
        await self._consumer.seek_to_beginning(self._place)
        end = (await self._consumer.end_offsets([self._place]))[self._place]
        while await self._consumer.position(self._place) < end:
            await self._poll()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def run(self) -> None:
        """Read on until cancelled."""
        while True:
            await self._poll()

    async def reach(self, number: int) -> None:
        """Return once the order of ``number`` has been read, and every definition before it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._position > number)

    def catalog(self, live: Mapping[str, Live]) -> Catalog:
        """Return what decides in a partition that has read the orders ``live``."""
        return compose(self._base, self.known, live)

    async def _poll(self) -> None:
        polled = await self._consumer.getmany(self._place, timeout_ms=_POLL_MS)
        for record in polled.get(self._place, ()):
            if record.key == INCARNATION_KEY or record.value is None:
                continue
            try:
                self.known.take(record.offset, codec.JOURNEYS.decode(record.value))
            except (BadMessageError, ValueError) as error:
                _LOG.error("published_record_unreadable", offset=record.offset, error=loggable(error))
        async with self._moved:
            self._position = await self._consumer.position(self._place)
            self._moved.notify_all()
