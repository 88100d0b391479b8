"""The dispatcher on SQLite: reads ``commands`` and ``cancels``, delivers, keeps ``deliveries``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from services.dispatcher.channels.base import Provider
from services.dispatcher.connectors.base import Connector
from services.dispatcher.delivery import Deliverer
from services.dispatcher.lanes import Lane
from services.dispatcher.ports import Clocks, DeliveryOptions, LocalClaims
from services.dispatcher.telemetry import MetricsTelemetry
from services.dispatcher.worker import PartitionWorker
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import Clock, system_clock
from shared.composing.links import NO_LINKS, Links
from shared.log import LogUnavailableError
from shared.messages.command import Mark
from shared.messages.topics import CANCELS, COMMANDS, TopicName
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

_BATCH = 200
_REST = 500
_DRAIN = 10.0
WIDTH = 20
"""Messages in one channel's hands at once: connections to one SMTP server that most servers allow."""


class CancelsRead:
    """Freshness that is exact: in one process every cancel stands in the log before its command can be sent."""

    def __init__(self, log: SqliteLog) -> None:
        """Start at the log's beginning."""
        self._log = log
        self.offset = 0

    def allows(self, decided_at: int, now: int) -> bool:
        """Tell whether every cancel there is has been taken in."""
        return self.offset >= self._log.end(CANCELS, PARTITION)

    def note_mark(self, mark: Mark) -> None:
        """Marks say nothing that the log's end does not."""

    def note_end(self, now: int) -> None:
        """The offset says it."""


class Dispatch:
    """The dispatcher's two loops."""

    def __init__(
        self,
        *,
        log: SqliteLog,
        deliveries: SqliteDeliveries,
        channels: Mapping[str, Sequence[Lane[Provider]]],
        connectors: Mapping[str, Lane[Connector]],
        clock: Clock,
        metrics: Metrics,
        links: Links = NO_LINKS,
    ) -> None:
        """``clock`` is journey time: expiry and dates; retries and time-outs are machine time."""
        self._log = log
        self._deliveries = deliveries
        self._providers: tuple[Provider | Connector, ...] = (
            *(lane.provider for lanes in channels.values() for lane in lanes),
            *(lane.provider for lane in connectors.values()),
        )
        self._freshness = CancelsRead(log)
        self._freshness.offset = deliveries.cursor(CANCELS)
        telemetry = MetricsTelemetry(metrics)
        telemetry.watch(channels)
        deliverer = Deliverer(
            ledger=deliveries,
            claims=LocalClaims(),
            channels=channels,
            connectors=connectors,
            options=DeliveryOptions(
                clocks=Clocks(journey=clock, machine=system_clock),
                freshness=self._freshness,
                telemetry=telemetry,
                links=links,
            ),
        )
        self.worker = PartitionWorker(PARTITION, deliverer=deliverer, ledger=deliveries)
        self._committed: dict[str, int] = {}

    @property
    def read_to(self) -> dict[TopicName, int]:
        """Where the loops go on after a crash, by topic: what lies before has all its effects on disk."""
        return {topic: self._deliveries.cursor(topic) for topic in (COMMANDS, CANCELS)}

    async def run(self) -> None:
        """Deliver until cancelled; then finish what is under way."""
        await self.worker.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._cancels())
                group.create_task(self._commands())
        finally:
            await self.worker.drain(_DRAIN)
            await self._commit()
            for provider in self._providers:
                await provider.close()

    async def _commands(self) -> None:
        offset = self._deliveries.cursor(COMMANDS)
        while True:
            # Before the read: nothing that is appended between the two is passed over.
            end = self._log.end(COMMANDS, PARTITION)
            records = self._log.read(COMMANDS, PARTITION, offset, _BATCH)
            if records:
                await self.worker.take_commands(records)
            offset = records[-1].offset + 1 if records else max(offset, end)
            await self._commit()
            if not records:
                await self._log.wait(COMMANDS, PARTITION, offset, _REST)

    async def _cancels(self) -> None:
        offset = self._freshness.offset
        while True:
            end = self._log.end(CANCELS, PARTITION)
            records = self._log.read(CANCELS, PARTITION, offset, _BATCH)
            if records:
                await self.worker.take_cancels(records, at_end=len(records) < _BATCH)
            # Nothing there up to an end that lies ahead: retention took it.
            offset = records[-1].offset + 1 if records else max(offset, end)
            self._freshness.offset = offset
            if not records:
                await self._log.wait(CANCELS, PARTITION, offset, _REST)

    async def _commit(self) -> None:
        found: dict[str, int | None] = {
            COMMANDS: self.worker.committable_commands,
            CANCELS: self.worker.committable_cancels,
        }
        moved = {name: at for name, at in found.items() if at is not None and self._committed.get(name) != at}
        if not moved:
            return
        try:
            await self._deliveries.put([], cursors=moved)
            self._committed.update(moved)
        except LogUnavailableError as error:
            _LOG.warning("cursor_not_saved", error=str(error))
