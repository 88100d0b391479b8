"""One import: lines to calls to batches, each noted once it is durable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cli.importing.lines import Fault, Line, Lines
from cli.importing.mapping import Reading
from cli.importing.progress import Record
from cli.importing.sending import Sender

BATCH_CALLS = 500
"""A run that is killed repeats one batch at most: fewer calls than the engine remembers messageIds of a contact."""
BATCH_BYTES = 400_000


class Batch:
    """Lines that go together: their calls, and those that are none."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.calls: list[bytes] = []
        self.refused: list[dict[str, Any]] = []
        self.size = 0
        self.last = 0

    @property
    def full(self) -> bool:
        """Whether it is to be sent. Lines that are none count too, so that a file of nothing else is reported."""
        return self.size > BATCH_BYTES or len(self.calls) + len(self.refused) >= BATCH_CALLS

    def add(self, line: Line, call: dict[str, Any] | Fault) -> None:
        """Put the line's call in, or why it has none."""
        self.last = line.number
        if isinstance(call, Fault):
            self.refuse(line.number, call.code, call.message)
            return
        encoded = msgspec.json.encode(call)
        self.numbers.append(line.number)
        self.calls.append(encoded)
        self.size += len(encoded)

    def refuse(self, number: int, code: str, message: str) -> None:
        """Note why line ``number`` was not taken."""
        self.refused.append({"line": number, "code": code, "message": message})


def import_lines(
    lines: Lines, reading: Reading, sender: Sender, record: Record, advanced: Callable[[int], None]
) -> None:
    """Send what ``record`` does not know yet of ``lines``; ``advanced`` hears of the bytes read so far.

    Twice is as once: after a crash the batch that was under way is sent again, with the same messageIds.
    """
    for batch in _batches(lines, reading, record.progress.line):
        refused = sender.send(batch.calls)
        for one in refused:
            batch.refuse(batch.numbers[one.place], one.code, one.message)
        batch.refused.sort(key=lambda told: told["line"])
        record.note(line=batch.last, accepted=len(batch.calls) - len(refused), refused=batch.refused)
        advanced(lines.position)
    record.finish()


def _batches(lines: Lines, reading: Reading, done: int) -> Iterator[Batch]:
    batch = Batch()
    for line in lines:
        if line.number <= done:
            continue
        batch.add(line, reading.call_of(line))
        if batch.full:
            yield batch
            batch = Batch()
    if batch.last:
        yield batch
