"""Runs one partition on any host: batches in, epochs saved, timers fired, ticks and marks written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from services.evaluator.epoch import Epoch
from services.evaluator.processor import PartitionProcessor
from shared.clock import SECOND, Clock, monotonic_clock
from shared.log import LogRecord, LogUnavailableError, Output, Publisher
from shared.messages import codec
from shared.messages.command import Mark
from shared.messages.event import Marker, Tick
from shared.messages.topics import CANCELS, EVENTS
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)

FIRE_AT_ONCE = 500
"""Contacts whose timers fire in one epoch: 20 to 30 ms of work, so that a herd never holds up a record for long. Of
those that send some 280 fill the epoch (``builder.EPOCH_BYTES``)."""
SWEEP_AT_ONCE = 200
"""Contacts that adopt a new catalogue in one epoch: 43 ms, measured on a busy machine, between two looks at records."""
TICK_EVERY = 100
"""At most one tick in 100 ms of machine time and partition (architecture: lateness p99 under 1 s needs no more)."""
MARK_EVERY = 500
"""The dispatcher takes a mark as fresh for 2 s; a quarter of that survives three lost ones."""
YOUNG = 2 * SECOND
"""What was appended within this time counts as live: as long as the dispatcher sends without asking for a mark."""
_LOST = 5 * SECOND
"""A tick or an order that has not been read back for so long is written again."""


class EpochSaver(Protocol):
    """Makes epochs durable: rows, outputs and cursor agree after any crash."""

    async def save(self, epoch: Epoch) -> None:
        """Return once the epoch is durable and its outputs are on their way. Raises when it cannot be."""


class PartitionRunner:
    """One partition's single thread of work: ``batch`` and ``beat`` never overlap.

    If anything raises, the processor is ahead of what was saved: the runner refuses further work and its owner starts
    again from what was saved.
    """

    def __init__(  # noqa: PLR0913 - the seams of a partition, all but three by name
        self,
        processor: PartitionProcessor,
        saver: EpochSaver,
        publisher: Publisher,
        *,
        journey_clock: Clock,
        machine_clock: Clock,
        metrics: Metrics,
        caught_up: bool,
        may_act: Callable[[], bool] = lambda: True,
        marks: bool = True,
        pace: Clock = monotonic_clock,
        orders: Callable[[int], Sequence[Marker]] = lambda _number: (),
    ) -> None:
        """``caught_up``: whether nothing lies between the cursor and the log's end; ``may_act``: the lease.

        ``marks``: whether the dispatcher reads them. ``pace`` counts from one tick or mark to the next and must not go
        back; ``machine_clock`` only dates the marks. ``orders`` are those after a number that nobody has put into this
        partition's log yet.
        """
        self.processor = processor
        self.caught_up = caught_up
        self._saver = saver
        self._publisher = publisher
        self._journey_clock = journey_clock
        self._machine_clock = machine_clock
        self._metrics = metrics
        self._may_act = may_act
        self._marks = marks
        self._pace = pace
        self._lock = asyncio.Lock()
        self._ticked_at = pace() - TICK_EVERY
        self._tick_in_flight = False
        self._marked_at = pace() - MARK_EVERY
        self._orders = orders
        self._ordered = -1
        self._ordered_at = pace() - _LOST
        self.failed = False
        """An epoch was begun and not saved, also when the work was cancelled."""

    @property
    def busy(self) -> bool:
        """Whether an epoch is under way, or time asks for something: a timer is due."""
        return self.failed or self.processor.has_due or self.processor.wants_tick(self._journey_clock())

    async def batch(self, records: Sequence[LogRecord], *, live: bool, caught_up: bool) -> None:
        """Apply ``records`` and save what follows.

        ``live``: all of them are young, so what they decide may leave at once; else it is held until the batch is
        through, for an exit may stand further on in it. ``caught_up``: they reach to the log's end as it was when they
        were fetched; only then what is held is released.
        """
        async with self._lock:
            self._refuse_after_failure()
            done = 0
            while done < len(records):
                # Timers fire in the last record's epoch, if they can: one way to the log and back, not two.
                work = partial(self.processor.process, caught_up=live, fire=FIRE_AT_ONCE, at_end=caught_up)
                done += await self._save(partial(work, records[done:]))
            self.caught_up = caught_up
            if any(record.key is None for record in records):
                self._tick_in_flight = False
            await self._release()

    async def beat(self) -> None:
        """Do what time asks for; called every few ten ms. Writes at most one tick and one mark."""
        async with self._lock:
            self._refuse_after_failure()
            if not self._may_act():
                return
            await self._fire()
            await self._release()
            await self._sweep()
            try:
                await self._order()
                await self._tick()
                await self._mark()
            except LogUnavailableError as error:
                # Neither carries anything: the next beat writes another.
                _LOG.warning("beat_not_written", partition=self.processor.partition, error=str(error))

    @property
    def in_haste(self) -> bool:
        """Whether another beat would do work at once: timers wait that are due."""
        return self.processor.has_due and self._may_act() and not self.failed

    def measure(self) -> None:
        """Bring the gauges of this partition up to date."""
        processor, partition = self.processor, str(self.processor.partition)
        self._metrics.contacts.labels(partition).set(processor.contacts)
        self._metrics.timers_pending.labels(partition).set(processor.timers)
        self._metrics.commands_pending.labels(partition).set(processor.commands_pending)
        self._metrics.contacts_behind.labels(partition).set(processor.behind)
        counters = processor.meta.counters
        for kind in counters.__struct_fields__:
            self._metrics.conservation.labels(partition, kind).set(getattr(counters, kind))

    def forget(self) -> None:
        """Take the gauges of this partition away: another worker reports them now."""
        partition = str(self.processor.partition)
        metrics = self._metrics
        for gauge in (metrics.contacts, metrics.contacts_behind, metrics.timers_pending, metrics.commands_pending):
            gauge.remove(partition)
        for kind in self.processor.meta.counters.__struct_fields__:
            self._metrics.conservation.remove(partition, kind)

    async def _fire(self) -> None:
        if self.processor.has_due:
            await self._save(partial(self.processor.fire, FIRE_AT_ONCE, caught_up=self.caught_up))

    async def _release(self) -> None:
        # A timer that is due may be an exit's: what it deletes must not have left before.
        if self.caught_up and self.processor.holding and not self.processor.has_due:
            await self._save(partial(self.processor.release, FIRE_AT_ONCE))

    async def _sweep(self) -> None:
        # What waits goes first: records of the log, and timers that are due.
        if self.caught_up and self.processor.behind and not self.processor.has_due:
            await self._save(partial(self.processor.sweep, SWEEP_AT_ONCE, caught_up=self.caught_up))

    async def _order(self) -> None:
        """Put the orders that this partition has not read into its log; those that do not come back, again."""
        known = self.processor.meta.change
        if self._pace() - self._ordered_at >= _LOST:
            self._ordered = known
        markers = self._orders(max(known, self._ordered)) if self.caught_up else ()
        if not markers:
            return
        partition = self.processor.partition
        await self._publisher.publish([Output(EVENTS, None, codec.encode(marker), partition) for marker in markers])
        self._ordered, self._ordered_at = markers[-1].number, self._pace()

    async def _tick(self) -> None:
        now = self._pace()
        waiting = self._tick_in_flight and now - self._ticked_at < _LOST
        if waiting or now - self._ticked_at < TICK_EVERY or not self.caught_up:
            return
        if self.processor.wants_tick(self._journey_clock()):
            self._ticked_at = now
            partition = self.processor.partition
            await self._publisher.publish([Output(EVENTS, None, codec.encode(Tick(partition=partition)), partition)])
            self._tick_in_flight = True

    async def _mark(self) -> None:
        now = self._pace()
        if not self._marks or not self.processor.unsettled or now - self._marked_at < MARK_EVERY:
            return
        self._marked_at = now
        processor = self.processor
        mark = Mark(
            partition=processor.partition,
            log_time=processor.meta.log_time,
            caught_up=self.caught_up and not processor.has_due and not processor.holding,
            written_at=self._machine_clock(),
        )
        await self._publisher.publish([Output(CANCELS, None, codec.encode(mark), processor.partition)])

    async def _save(self, work: Callable[[], Epoch]) -> int:
        """Save the epoch that ``work`` makes and return how many records it covers."""
        self.failed = True
        epoch = work()
        if not epoch.empty:
            await self._saver.save(epoch)
        self.failed = False
        if any(output.topic == CANCELS for output in epoch.outputs):
            self._metrics.exit_silence.observe(max(0, self._journey_clock() - epoch.meta.log_time) / SECOND)
        for tally in epoch.tallies:
            self._metrics.decisions.labels(tally.journey, tally.decision, tally.reason).inc()
        for lateness in epoch.lateness:
            self._metrics.timer_lateness.observe(lateness / SECOND)
        self._metrics.invalid_zones.inc(epoch.invalid_zones)
        for remark in epoch.remarks:
            self._metrics.event_remarks.labels(remark).inc()
        return epoch.consumed

    def _refuse_after_failure(self) -> None:
        if self.failed:
            raise RuntimeError("an epoch of this partition was not saved; start again from what was")
