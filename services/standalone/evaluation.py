"""The evaluator on SQLite: reads ``events``, saves an epoch as one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
import structlog

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.state import NEVER
from services.evaluator.epoch import Epoch
from services.evaluator.meta import decode_meta, encode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.runner import TICK_EVERY, YOUNG, PartitionRunner
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import SECOND, Clock, system_clock
from shared.errors import loggable
from shared.log import LogUnavailableError
from shared.messages.topics import EVENTS, TopicName
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

_BATCH = 500
_RETRY = 1.0
_LONGEST_REST = 500
"""ms that the loop rests at most while nothing is due."""


class SqliteEpochs:
    """``ContactStore`` and ``EpochSaver`` over the contacts' table."""

    def __init__(self, contacts: SqliteContacts) -> None:
        """Keep nothing of its own."""
        self._contacts = contacts

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row as last saved, or None."""
        return self._contacts.load(contact)

    def load_meta(self) -> bytes | None:
        """Return the meta row as last saved, or None."""
        return self._contacts.load_meta()

    def scan(self) -> Iterable[tuple[str, bytes]]:
        """Return every contact with the head of its row."""
        return self._contacts.scan_heads()

    async def save(self, epoch: Epoch) -> None:
        """Make the epoch durable in one transaction, its outputs included."""
        meta = msgspec.structs.replace(epoch.meta, acknowledged=epoch.meta.epoch)
        await self._contacts.save(epoch.rows, encode_meta(meta), epoch.outputs)


class Evaluation:
    """The evaluator's loop. After an epoch that could not be saved it starts again from what was."""

    def __init__(
        self,
        *,
        log: SqliteLog,
        contacts: SqliteContacts,
        catalog: Catalog,
        clock: Clock,
        speed: float,
        metrics: Metrics,
    ) -> None:
        """``clock`` is journey time, which runs ``speed`` times as fast as the machine's."""
        self._log = log
        self._contacts = contacts
        self._catalog = catalog
        self._clock = clock
        self._speed = speed
        self._metrics = metrics
        self.runner = self._start()

    @property
    def read_to(self) -> dict[TopicName, int]:
        """Where the loop goes on after a crash, by topic: what lies before has all its effects on disk."""
        saved = self._contacts.load_meta()
        return {EVENTS: 0 if saved is None else decode_meta(saved).next_offset}

    async def run(self) -> None:
        """Evaluate until cancelled."""
        while True:
            try:
                await self._turn()
            except LogUnavailableError as error:
                _LOG.error("evaluation_paused", error=str(error))
                await asyncio.sleep(_RETRY)
                self.runner = self._start()

    async def _turn(self) -> None:
        processor = self.runner.processor
        offset = processor.meta.next_offset
        records = self._log.read(EVENTS, PARTITION, offset, _BATCH)
        if records:
            live = records[0].timestamp >= self._clock() - YOUNG * self._speed
            caught_up = records[-1].offset + 1 >= self._log.end(EVENTS, PARTITION)
            await self.runner.batch(records, live=live, caught_up=caught_up)
            done = self._clock()
            for record in records:
                self._metrics.event_decision.observe(max(0.0, (done - record.timestamp) / SECOND / self._speed))
        else:
            # Also when the log's end lies ahead: retention took what is missing.
            self.runner.caught_up = True
        await self.runner.beat()
        self.runner.measure()
        if not records:
            await self._log.wait(EVENTS, PARTITION, offset, self._rest())

    def _rest(self) -> int:
        """Return the ms of machine time until time itself asks for something."""
        if self.runner.processor.behind:
            return TICK_EVERY // 10
        due = self.runner.processor.next_due
        if due == NEVER:
            return _LONGEST_REST
        until_due = int((due - self._clock()) / self._speed) + 1
        # A due timer waits for its tick, of which there is at most one in TICK_EVERY.
        return max(TICK_EVERY // 10, min(_LONGEST_REST, until_due))

    def _start(self) -> PartitionRunner:
        epochs = SqliteEpochs(self._contacts)
        processor = PartitionProcessor(
            partition=PARTITION,
            catalog=self._catalog,
            store=epochs,
            incarnation=self._log.incarnation(EVENTS),
            on_error=lambda action, error: _LOG.error(action, error=loggable(error)),
        )
        return PartitionRunner(
            processor,
            epochs,
            self._log,
            journey_clock=self._clock,
            machine_clock=system_clock,
            metrics=self._metrics,
            caught_up=not self._log.read(EVENTS, PARTITION, processor.meta.next_offset, 1),
            # In one process the end of ``cancels`` says what a mark would.
            marks=False,
        )
