"""One partition's commands and cancels, on any host: keeps many messages under way and says what to commit."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
import structlog

from services.dispatcher.core.rows import Place, Work, dead_letter, work_of
from services.dispatcher.delivery import Deliverer
from services.dispatcher.lanes import Lane
from services.dispatcher.ports import FencedError, Ledger
from services.dispatcher.progress import Progress
from services.dispatcher.schedule import Schedule, Times
from shared.errors import BadMessageError
from shared.log import LogRecord, LogUnavailableError, Output
from shared.messages import codec
from shared.messages.command import Cancel, CommandRecord, Mark
from shared.messages.delivery import Delivery
from shared.messages.topics import CANCELS, COMMANDS, INCARNATION_KEY, TopicName

_LOG = structlog.get_logger(__name__)
_GLANCE = 20
"""Every so many looks at the schedule some are asked that wait for a provider without room: they may have expired."""


class WorkerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``in_flight`` messages at once; seconds between looks at the schedule, and before a paused one is tried again.

    While ``waiting`` commands are deferred or in hand, no new ones are read.
    """

    in_flight: int = 100
    waiting: int = 200_000
    tick: float = 0.05
    pause: float = 0.5


class _Slot:
    """A command's place among those in hand; given back when it ends or waits for its provider, once.

    ``called`` is the lane that it was taken out of the schedule for.
    """

    def __init__(self, slots: asyncio.Semaphore, called: Lane[Any] | None = None) -> None:
        self._slots: asyncio.Semaphore | None = slots
        self._called = called

    def release(self) -> None:
        slots, self._slots = self._slots, None
        if slots is None:
            return
        slots.release()
        if self._called is not None:
            self._called.called -= 1


class PartitionWorker:
    """Feed it records of its partition in order; ``committable_*`` says which never need to be read again.

    Reading records again (after a restart, a rebalance) is harmless: a command whose row is final is passed over, one
    that is under way is waited for, and a cancel of something final changes nothing.
    """

    def __init__(
        self,
        partition: int,
        *,
        deliverer: Deliverer,
        ledger: Ledger,
        limits: WorkerLimits | None = None,
    ) -> None:
        self._partition = partition
        self._deliverer = deliverer
        self._ledger = ledger
        self._limits = limits or WorkerLimits()
        self._schedule = Schedule()
        self._slots = asyncio.Semaphore(self._limits.in_flight)
        self._commands, self._cancels = Progress(), Progress()
        self._active: dict[str, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    @property
    def committable_commands(self) -> int | None:
        """The offset of ``commands`` up to which every command has a durable end or deferral; None: nothing new."""
        return self._commands.committable

    @property
    def committable_cancels(self) -> int | None:
        """The offset of ``cancels`` up to which every cancel has taken durable effect; None: nothing new."""
        return self._cancels.committable

    @property
    def idle(self) -> bool:
        """Whether nothing is under way; deferred commands may still wait for their time."""
        return not self._tasks

    @property
    def scheduled(self) -> int:
        """How many entries wait in the schedule."""
        return len(self._schedule)

    async def start(self) -> None:
        """Finish what a former owner left open, then begin to look at the schedule. Call before the first record."""
        open_rows = self._ledger.open()
        while rows := list(itertools.islice(open_rows, self._limits.in_flight)):
            found = await asyncio.gather(*[self._deliverer.recover(row) for row in rows])
            for row in found:
                if row.command is not None:
                    self._note(row)
            for row in await self._load([row.command_id for row in found if row.command is None]):
                self._note(row)
        self._loop = asyncio.create_task(self._run_schedule())
        self._loop.add_done_callback(lambda done: self._ended(done, None))

    async def take_commands(self, records: Sequence[LogRecord]) -> None:
        """Start on each command; returns when all have started, so a full worker holds its reader back.

        Raises what ended the worker (FencedError) once it has failed.
        """
        for record in records:
            self._refuse_if_failed()
            self._commands.start(record.offset)
            if record.key == INCARNATION_KEY:
                self._commands.finish(record.offset)
                continue
            try:
                command = codec.COMMANDS.decode(record.value)
            except BadMessageError as error:
                await self._dead_letter(COMMANDS, record, "bad_message", str(error))
                self._commands.finish(record.offset)
                continue
            row = self._ledger.get(command.command_id)
            if row is not None and row.status in ("deferred", "reported"):
                self._commands.finish(record.offset)
                continue
            await self._room()
            await self._slots.acquire()
            work, slot = Work(command, recorded_at=record.timestamp, offset=record.offset), _Slot(self._slots)
            self._spawn(self._first(work, record, slot), command.command_id, slot)

    async def _room(self) -> None:
        """Return once another command may wait: those that do end by and by."""
        full = False
        while self._ledger.waiting > self._limits.waiting:
            self._refuse_if_failed()
            if not full:
                full = True
                _LOG.warning("dispatcher.full", partition=self._partition, waiting=self._ledger.waiting)
            await asyncio.sleep(self._limits.tick)

    async def take_cancels(self, records: Sequence[LogRecord], *, at_end: bool = False) -> None:
        """Apply cancels and marks; ``at_end``: these are the newest of the partition. Never waits for a provider."""
        unseen: list[tuple[int, Cancel]] = []
        for record in records:
            self._refuse_if_failed()
            self._cancels.start(record.offset)
            if record.key == INCARNATION_KEY:
                self._cancels.finish(record.offset)
                continue
            try:
                message = codec.CANCELS.decode(record.value)
            except BadMessageError as error:
                await self._dead_letter(CANCELS, record, "bad_message", str(error))
                self._cancels.finish(record.offset)
                continue
            if isinstance(message, Mark):
                self._deliverer.freshness.note_mark(message)
                self._cancels.finish(record.offset)
            else:
                # At once, so that what is under way sees it at its last look.
                self._deliverer.cancelling[message.command_id] = message.reason
                unseen.append((record.offset, message))
        await self._apply(unseen)
        if at_end:
            self._deliverer.freshness.note_end(self._deliverer.clocks.machine())

    async def drain(self, patience: float) -> None:
        """Start nothing more, let what is under way finish, and give up the rest after ``patience`` seconds.

        What is given up at the provider stays ``sending``: the next owner declares it ambiguous. Twice is harmless.
        """
        self._closing.set()
        if self._loop is not None:
            await asyncio.gather(self._loop, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _apply(self, cancels: Sequence[tuple[int, Cancel]]) -> None:
        """Make ``cancels`` durable: unseen commands get their row now, others end by their own task."""
        rows: list[Delivery] = []
        done: list[tuple[int, Cancel]] = []
        now = self._deliverer.clocks.machine()
        for offset, cancel in cancels:
            row = self._ledger.get(cancel.command_id)
            if cancel.command_id in self._active or (row is not None and row.status == "deferred"):
                self._spawn(self._cancel_later(offset, cancel))
                continue
            if row is None:
                rows.append(Delivery(command_id=cancel.command_id, status="cancelled", at=now, reason=cancel.reason))
            done.append((offset, cancel))
        if rows:
            await self._deliverer.save(rows)
        for offset, cancel in done:
            self._forget(cancel, offset)

    async def _cancel_later(self, offset: int, cancel: Cancel) -> None:
        """Wait for the command's task, then end it if it did not end by itself."""
        while (task := self._active.get(cancel.command_id)) is not None:
            await asyncio.wait([task])
        row = self._ledger.get(cancel.command_id)
        if row is not None and row.status == "deferred":
            for waiting in await self._load([cancel.command_id]):
                if waiting.command is not None:
                    await self._deliverer.deliver(work_of(waiting, waiting.command))
            self._forget(cancel, offset)
        else:
            await self._apply([(offset, cancel)])

    def _forget(self, cancel: Cancel, offset: int) -> None:
        self._deliverer.cancelling.pop(cancel.command_id, None)
        self._cancels.finish(offset)

    async def _first(self, work: Work, record: LogRecord, slot: _Slot) -> None:
        """Bring one command to a durable row, then let its offset go."""
        row = self._ledger.get(work.command.command_id)
        # Its record was read twice, and the first reading's task has deferred it just now.
        if row is None or row.status != "deferred":
            self._note(await self._bring(work, record, slot))
        self._commands.finish(record.offset)

    async def _again(self, row: Delivery, command: CommandRecord, slot: _Slot) -> None:
        found = await self._bring(work_of(row, command), None, slot)
        # Without its command it is what the ledger keeps of a row that has not changed.
        self._note(row if found.status == "deferred" and found.command is None else found)

    async def _bring(self, work: Work, record: LogRecord | None, slot: _Slot) -> Delivery:
        try:
            row = await self._deliverer.deliver(work, slot.release)
            while row is None:
                await self._pause()
                row = await self._deliverer.deliver(work, slot.release)
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001  our own bug: this one command ends, every other goes on
            _LOG.exception("dispatcher.command_raised", command=work.command.command_id)
            source = record or LogRecord(-1, 0, work.command.contact.encode(), codec.encode(work.command))
            row = await self._deliverer.fail(
                work, [self._letter(COMMANDS, source, "internal_error", type(error).__name__)]
            )
        return row

    async def _pause(self) -> None:
        """Wait a moment for claims to come back; ends the task when the worker closes, with nothing written."""
        try:
            await asyncio.wait_for(self._closing.wait(), self._limits.pause)
        except TimeoutError:
            return
        raise asyncio.CancelledError

    def _note(self, row: Delivery) -> None:
        if row.status == "deferred":
            self._schedule.put(row, self._deliverer.line(row))

    def _spawn(self, run: Coroutine[Any, Any, None], command_id: str | None = None, slot: _Slot | None = None) -> None:
        """Start ``run``; with a ``command_id``, after that command's former task and in a slot taken for it."""
        former = None if command_id is None else self._active.get(command_id)
        task = asyncio.create_task(self._run(run, former))
        self._tasks.add(task)
        if command_id is not None:
            self._active[command_id] = task
        # Also of one that is cancelled before its first step: a lane outlives its partitions.
        if slot is not None:
            task.add_done_callback(lambda _: slot.release())
        task.add_done_callback(lambda done: self._ended(done, command_id))

    async def _run(self, run: Coroutine[Any, Any, None], former: asyncio.Task[Any] | None) -> None:
        try:
            if former is not None:
                await asyncio.wait([former])
            await run
        finally:
            run.close()

    def _ended(self, task: asyncio.Task[Any], command_id: str | None) -> None:
        self._tasks.discard(task)
        if command_id is not None and self._active.get(command_id) is task:
            del self._active[command_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or error
            self._closing.set()

    def _refuse_if_failed(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def _run_schedule(self) -> None:
        clocks, looks = self._deliverer.clocks, 0
        while not self._closing.is_set():
            if self._deliverer.freshness.allows(0, clocks.machine()):
                now = Times(clocks.journey(), clocks.machine())
                # A command may have two, of which one holds.
                due = set(self._schedule.take(now, self._limits.in_flight, self._active))
                for row in await self._load(list({command_id for _, command_id in due})):
                    if (row.retry_at or 0, row.command_id) in due:
                        await self._retry(row)
                looks += 1
                if looks % _GLANCE == 0:
                    for row in await self._load(self._schedule.glance(self._limits.in_flight)):
                        if row.command_id not in self._active and self._deliverer.overdue(row):
                            await self._retry(row)
            try:
                await asyncio.wait_for(self._closing.wait(), self._limits.tick)
            except TimeoutError:
                continue

    async def _retry(self, row: Delivery) -> None:
        if row.command is not None:
            await self._slots.acquire()
            slot = _Slot(self._slots, self._deliverer.line(row).call())
            self._spawn(self._again(row, row.command, slot), row.command_id, slot)

    async def _load(self, command_ids: Sequence[str]) -> list[Delivery]:
        while command_ids:
            try:
                return await self._ledger.load(command_ids)
            except LogUnavailableError as error:
                _LOG.warning("dispatcher.ledger_unavailable", error=str(error))
                await self._pause()
        return []

    async def _dead_letter(self, topic: TopicName, record: LogRecord, reason: str, detail: str) -> None:
        await self._deliverer.save([], [self._letter(topic, record, reason, detail)])

    def _letter(self, topic: TopicName, record: LogRecord, reason: str, detail: str) -> Output:
        _LOG.error("dispatcher.dead_letter", topic=topic, partition=self._partition, reason=reason)
        self._deliverer.telemetry.dead_letter(topic, reason)
        place = Place(topic, self._partition)
        return dead_letter(place, record, reason, detail, self._deliverer.clocks.machine())
