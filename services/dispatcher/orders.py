"""Which journeys were stopped: read from ``journeys`` directly, so that a stop needs no cancel for each contact."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.dispatcher.core.stops import Stops
from shared.errors import BadMessageError
from shared.messages import codec
from shared.messages.command import CommandRecord
from shared.messages.journeys import Order
from shared.messages.topics import INCARNATION_KEY, JOURNEYS

_LOG = structlog.get_logger(__name__)
_POLL_MS = 200
_AGAIN = 1.0


class StoppedJourneys:
    """Follows the orders from the topic's beginning. ``stopped`` is what a command is asked before it leaves."""

    def __init__(self, bootstrap: str, *, prefix: str) -> None:
        """Nothing is read before ``start``."""
        self._stops = Stops()
        self._place = TopicPartition(prefix + JOURNEYS, 0)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
        )

    async def start(self) -> None:
        """Connect and read up to the end: nothing is sent that was stopped before. Raises KafkaError."""
        await self._consumer.start()
        self._consumer.assign([self._place])
        await self._consumer.seek_to_beginning(self._place)
        end = (await self._consumer.end_offsets([self._place]))[self._place]
        while await self._consumer.position(self._place) < end:
            await self._poll()

    async def run(self) -> None:
        """Read on until cancelled; what Kafka refuses is asked again."""
        while True:
            try:
                await self._poll()
            except OffsetOutOfRangeError:
                # The topic was created anew; what was stopped stays so until it says otherwise.
                await self._consumer.seek_to_beginning(self._place)
            except KafkaError as error:
                _LOG.warning("dispatcher.orders_unreadable", reason=repr(error))
                await asyncio.sleep(_AGAIN)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def stopped(self, command: CommandRecord) -> bool:
        """Return whether ``command`` is of a journey that was stopped after it was decided."""
        return self._stops.hold(command.journey, command.decided_at)

    async def _poll(self) -> None:
        polled = await self._consumer.getmany(self._place, timeout_ms=_POLL_MS)
        for record in polled.get(self._place, ()):
            if record.key == INCARNATION_KEY or record.value is None:
                continue
            try:
                message = codec.JOURNEYS.decode(record.value)
            except BadMessageError as error:
                _LOG.error("dispatcher.order_unreadable", offset=record.offset, reason=str(error))
                continue
            if isinstance(message, Order):
                self._stops.take(message, record.timestamp)
