"""Collects one epoch while records are applied: rows, outputs in their order, the cursor and the counters."""

from __future__ import annotations

import msgspec

from services.evaluator.core.effects import Advance
from services.evaluator.epoch import Epoch, Tally
from services.evaluator.meta import Meta
from services.evaluator.rows import Row
from shared.ids import outcome_id
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.dead_letter import DeadLetter
from shared.messages.outcome import Outcome
from shared.messages.topics import CANCELS, COMMANDS, EVENTS, EVENTS_DLQ, JOURNAL, TopicName


class EpochBuilder:
    """One epoch in the making. ``size`` is an estimate of its bytes."""

    def __init__(self, partition: int, meta: Meta) -> None:
        """Start behind ``meta``, the last epoch's."""
        self._partition = partition
        self._meta = meta
        self.next_offset = meta.next_offset
        self.log_time = meta.log_time
        self.rows: dict[str, tuple[Row, bytes | None]] = {}
        self.size = 0
        self._outputs: list[Output] = []
        self._tallies: list[Tally] = []
        self._lateness: list[int] = []
        self._counts: dict[str, int] = {}
        self._grown: dict[str, int] = {}

    def advance_to(self, next_offset: int, timestamp: int) -> None:
        """Move the cursor behind a record that was appended at ``timestamp``; log time never goes back."""
        self.next_offset = next_offset
        self.log_time = max(self.log_time, timestamp)

    def count(self, **amounts: int) -> None:
        """Add to the counters."""
        for name, amount in amounts.items():
            self._counts[name] = self._counts.get(name, 0) + amount

    def late(self, milliseconds: int) -> None:
        """Note that a timer fired ``milliseconds`` after its due time."""
        self._lateness.append(milliseconds)

    def grow(self, contact: str, amount: int) -> None:
        """Note that the contact's row grew by ``amount`` bytes."""
        self._grown[contact] = self._grown.get(contact, 0) + amount
        self.size += amount

    def grown(self, contact: str) -> int:
        """Return the size of the contact's row as last noted."""
        return self._grown.get(contact, 0)

    def take(self, row: Row, result: Advance, *, caught_up: bool) -> Row:
        """Collect what follows from ``result`` and return ``row`` with its new state."""
        held = list(row.held)
        for record in result.journal:
            self._emit(JOURNAL, record.contact, record)
            self._tallies.append(Tally(record.journey, record.decision, record.reason or ""))
        for command in result.commands:
            if caught_up or command.purpose == "transactional":
                self.command(command)
            else:
                held.append(command)
        for event in result.events:
            self._emit(EVENTS, result.state.contact, event)
        for cancel in result.cancels:
            kept = next((command for command in held if command.command_id == cancel.command_id), None)
            if kept is None:
                self._emit(CANCELS, cancel.contact, cancel)
            else:
                held.remove(kept)
                self._emit(EVENTS, cancel.contact, _withdrawn(kept, cancel))
        timers = result.timers
        self.count(
            timers_armed=timers.armed,
            timers_fired=timers.fired,
            timers_cancelled=timers.cancelled,
            commands=len(result.commands),
            decisions=len(result.journal),
        )
        return msgspec.structs.replace(row, state=result.state, held=tuple(held))

    def command(self, command: SendCommand) -> None:
        """Publish ``command``."""
        self._emit(COMMANDS, command.contact, command)

    def dead_letter(self, record: LogRecord, error: Exception) -> None:
        """Put ``record`` aside with the reason."""
        letter = DeadLetter(
            topic=EVENTS,
            partition=self._partition,
            offset=record.offset,
            reason=type(error).__name__,
            detail=str(error)[:500],
            at=self.log_time,
            key=record.key,
            value=record.value,
        )
        value = codec.encode(letter)
        self.size += len(value)
        self._outputs.append(Output(EVENTS_DLQ, record.key, value))

    def finish(self, rows: dict[str, bytes], consumed: int) -> Epoch:
        """Return the epoch with the encoded ``rows``."""
        meta = msgspec.structs.replace(
            self._meta,
            next_offset=self.next_offset,
            log_time=self.log_time,
            epoch=self._meta.epoch + 1,
            counters=self._meta.counters.plus(**self._counts),
        )
        if not (rows or self._outputs or consumed):
            meta = self._meta
        return Epoch(rows, tuple(self._outputs), meta, consumed, tuple(self._tallies), tuple(self._lateness))

    def _emit(self, topic: TopicName, contact: str, message: msgspec.Struct) -> None:
        value = codec.encode(message)
        self.size += len(value)
        self._outputs.append(Output(topic, contact.encode(), value, self._partition))


def _withdrawn(command: SendCommand, cancel: Cancel) -> Outcome:
    """Return the outcome of a command that was held back and never published: what a dispatcher would have reported."""
    return Outcome(
        message_id=outcome_id(command.command_id),
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        channel=command.channels[0],
        status="skipped",
        at=cancel.at,
        reason=cancel.reason,
    )
