"""Collects one epoch while records are applied: rows, outputs in their order, the cursor and the counters."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.effects import Advance, Remark
from services.evaluator.epoch import Epoch, Tally
from services.evaluator.meta import Counters, Meta
from services.evaluator.rows import Row
from shared.journeys.published import Live
from shared.log import LogRecord, Output, fits
from shared.messages import codec
from shared.messages.answer import Answer, answer_of
from shared.messages.command import CallCommand, Cancel, CommandRecord
from shared.messages.dead_letter import DeadLetter
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome, outcome_of
from shared.messages.topics import (
    CANCELS,
    COMMANDS,
    EVENTS,
    EVENTS_DLQ,
    JOURNAL,
    TopicName,
    max_record_bytes,
)

EPOCH_BYTES = 512 * 1024
"""An epoch is closed past this size, between two records or timers. With the largest of either it still fits one record
batch (``topics``: 4 MiB): a row (``bounds.ROW_RESERVE``), what it holds, the commands and a dead letter."""
HELD_BYTES = 256 * 1024
"""Commands held back in one row. One that would pass it is skipped: the row must stay writable, and in doubt nothing
is sent."""
STEP_BYTES = max_record_bytes(COMMANDS) - 16 * 1024
"""The commands of one record or timer together, so each of them too: its row in ``deliveries`` holds it whole."""
BACKLOG = "backlog"
TOO_LARGE = "too_large"
_CUT = 200


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
        self._invalid_zones = 0
        self._remarks: list[Remark] = []
        self._counts = dict.fromkeys(Counters.__struct_fields__, 0)
        self._ordered: dict[str, Any] = {}
        self._grown: dict[str, int] = {}

    @property
    def full(self) -> bool:
        """Whether the epoch is to be closed."""
        return self.size > EPOCH_BYTES or bool(self._ordered)

    def reach(self, timestamp: int) -> None:
        """Move the log time on to a record that was appended at ``timestamp``; it never goes back."""
        self.log_time = max(self.log_time, timestamp)

    def order(self, number: int, live: dict[str, Live], catalog: int) -> None:
        """Note that the order ``number`` was applied; it ends the epoch."""
        self._ordered = {"change": number, "live": live}
        if catalog != self._meta.catalog:
            self._ordered |= {"catalog": catalog, "catalog_since": self.log_time}

    def count(self, **amounts: int) -> None:
        """Add to the counters."""
        for name, amount in amounts.items():
            self._counts[name] += amount

    def applied(self, *, duplicate: bool) -> None:
        """Count a record that was applied to its contact, or was known to it: ``count`` for each of millions."""
        counts = self._counts
        counts["records"] += 1
        counts["duplicate" if duplicate else "applied"] += 1

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
        held = list(row.held) if row.held else []
        for record in result.journal:
            self._journal(record)
            self._tallies.append(Tally(record.journey, record.decision, record.reason or ""))
        room = STEP_BYTES
        for command in result.commands:
            value = codec.encode(command)
            size = len(value)
            if size > room:
                self._emit(EVENTS, command.contact, _skipped(command, TOO_LARGE, self.log_time))
                continue
            room -= size
            # Behind what is held already, or a contact would get its messages in another order than they were decided.
            if command.purpose == "transactional" or (caught_up and not held):
                self._append(Output(COMMANDS, command.contact.encode(), value, self._partition))
            elif size + sum(len(codec.encode(other)) for other in held) > HELD_BYTES:
                self._emit(EVENTS, command.contact, _skipped(command, BACKLOG, self.log_time))
            else:
                held.append(command)
                self.grow(command.contact, size)
        for event in result.events:
            self._emit(EVENTS, result.state.contact, event)
        for key, posted in result.posted:
            # The key's partition, which may be another than this.
            self._append(Output(EVENTS, key.encode(), codec.encode(posted)))
        for cancel in result.cancels:
            kept = next((command for command in held if command.command_id == cancel.command_id), None)
            if kept is None and cancel.contact != result.state.contact:
                self._append(Output(CANCELS, cancel.contact.encode(), codec.encode(cancel)))
            elif kept is None:
                self._emit(CANCELS, cancel.contact, cancel)
            else:
                held.remove(kept)
                self._emit(EVENTS, cancel.contact, _withdrawn(kept, cancel))
        self._invalid_zones += result.invalid_zones
        self._remarks.extend(result.remarks)
        counts, timers = self._counts, result.timers
        counts["timers_armed"] += timers.armed
        counts["timers_fired"] += timers.fired
        counts["timers_cancelled"] += timers.cancelled
        counts["commands"] += len(result.commands)
        counts["decisions"] += 0 if result.duplicate else len(result.journal)
        return Row(result.state, row.offset, row.incarnation, tuple(held))

    def command(self, command: CommandRecord) -> None:
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
        output = Output(EVENTS_DLQ, record.key, codec.encode(letter))
        if not fits(output):
            output = Output(EVENTS_DLQ, None, codec.encode(msgspec.structs.replace(letter, key=None, value=None)))
        self._append(output)

    def finish(self, rows: dict[str, bytes], consumed: int) -> Epoch:
        """Return the epoch with the encoded ``rows``."""
        meta = msgspec.structs.replace(
            self._meta,
            next_offset=self.next_offset,
            log_time=self.log_time,
            epoch=self._meta.epoch + 1,
            counters=self._meta.counters.plus(**self._counts),
            **self._ordered,
        )
        if not (rows or self._outputs or consumed):
            meta = self._meta
        return Epoch(
            rows=rows,
            outputs=tuple(self._outputs),
            meta=meta,
            consumed=consumed,
            tallies=tuple(self._tallies),
            lateness=tuple(self._lateness),
            invalid_zones=self._invalid_zones,
            remarks=tuple(self._remarks),
        )

    def _journal(self, record: JournalRecord) -> None:
        output = self._output(JOURNAL, record.contact, record)
        if not fits(output):
            short = msgspec.structs.replace(
                record, detail={}, cause=record.cause[:_CUT], reason=record.reason and record.reason[:_CUT]
            )
            output = self._output(JOURNAL, record.contact, short)
        self._append(output)

    def _emit(self, topic: TopicName, contact: str, message: msgspec.Struct) -> None:
        self._append(self._output(topic, contact, message))

    def _output(self, topic: TopicName, contact: str, message: msgspec.Struct) -> Output:
        return Output(topic, contact.encode(), codec.encode(message), self._partition)

    def _append(self, output: Output) -> None:
        self.size += len(output.value or b"")
        self._outputs.append(output)


def _withdrawn(command: CommandRecord, cancel: Cancel) -> Outcome | Answer:
    return _skipped(command, cancel.reason, cancel.at)


def _skipped(command: CommandRecord, reason: str, at: int) -> Outcome | Answer:
    """Return the end of a command that was never published: what a dispatcher would have reported."""
    if isinstance(command, CallCommand):
        return answer_of(command, at, error=reason)
    return outcome_of(command, "skipped", at, reason=reason)
