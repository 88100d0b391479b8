"""``deliveries`` on Kafka: one partition's rows, read to its end by each new owner and written through by it alone.

An owner's *term* is the offset of its owner record, so every later owner has a higher one. Its rows carry the term.
Once it has read everything it writes a floor record; from there on rows of a lower term are a former owner's
afterthoughts: every reader passes them over, and the owner writes its own row again before compaction drops it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
import structlog

from services.dispatcher.ended import EndedIds, compact, expand
from services.dispatcher.ports import FencedError
from services.dispatcher.together import Together
from shared.clock import DAY, Clock
from shared.errors import BadMessageError, KikkakeError
from shared.log import LogReader, LogRecord, Output, Publisher
from shared.messages import codec
from shared.messages.delivery import Delivery
from shared.messages.topics import DELIVERIES

_LOG = structlog.get_logger(__name__)
_OWNER_KEY = b"\x00owner"
_FLOOR_KEY = b"\x00floor"
# Commands are kept for seven days and older ones never sent: a day later nobody can ask about a final one.
_REMEMBERED_DAYS = 8
# As long as the replay window: who looks into an old case finds its rows for as long as its events.
_KEPT = 30 * DAY
_TOMBSTONES = 1_000
_OPEN = frozenset({"deferred", "sending", "settled"})


# Records that are passed over rather than asked for anew.
_GAP = 5_000
HELD = 64 * 1024 * 1024

_Record = tuple[bytes, bytes | None]


class Appender(Publisher, Protocol):
    """Writes to the log and says where."""

    async def append(self, outputs: Sequence[Output]) -> list[int]:
        """Publish, and return each record's offset; -1: it is not known."""


class RowMissingError(KikkakeError):
    """A deferred command's row is not where it was written: started again, all rows are read anew."""


class KafkaLedger:
    """A ``Ledger`` of one partition, which keeps in memory only what it needs.

    Of final rows their ids, for eight days. Of deferred ones ``held`` bytes whole; of those beyond only where they are
    in the log, from which ``load`` reads them when they are due.
    """

    def __init__(
        self, partition: int, *, publisher: Appender, reader: LogReader, clock: Clock, held: int = HELD
    ) -> None:
        self.term = -1
        self.held = 0
        """Bytes of the rows kept whole that are not final, as they are written."""
        self._partition = partition
        self._publisher = publisher
        self._reader = reader
        self._clock = clock
        self._most = held
        self._rows: dict[str, Delivery] = {}
        self._sizes: dict[str, int] = {}
        self._places: dict[bytes, int] = {}
        self._ended = EndedIds()
        self._position = 0
        self._floor = -1
        self._written = 0
        self._certain = True
        self._token = b""
        self._fenced = False
        self._old: set[str] = set()
        self._outputs: Together[Output, None] = Together(self._publish)
        self._records: Together[_Record, int] = Together(self._write)

    async def take_over(self, token: str) -> None:
        """Write our owner record and read the partition to its end; ``term`` is set then.

        Raises LogUnavailableError, and FencedError if another owner came after us meanwhile. Running it twice takes
        over anew.
        """
        self._token = token.encode()
        self.term = -1
        await self._publisher.publish([Output(DELIVERIES, _OWNER_KEY, self._token, self._partition)])
        await self._read_on()

    async def open_term(self) -> None:
        """Read what former owners wrote up to now, then refuse what they write from now on.

        To be called once the claims know our term: whatever was handed to a provider before is in the log by then.
        """
        await self._read_on()
        await self._write([(_FLOOR_KEY, str(self.term).encode())])
        self._floor = self.term
        await self._delete_old()

    async def refresh(self) -> None:
        """Look for other writers: rewrite what a former owner overwrote. Raises FencedError for a later owner.

        Twice is harmless. Costs one question when nobody else has written.
        """
        self.forget_old()
        end = await self._reader.end(DELIVERIES, self._partition)
        if self._certain and end - self._position <= self._written:
            return
        overwritten = await self._read_on()
        mine = [row for key in overwritten if (row := self.get(key)) is not None and row.status != "deferred"]
        mine += await self.load(overwritten)
        if mine:
            _LOG.warning("dispatcher.rows_rewritten", partition=self._partition, rows=len(mine))
            await self.put(mine)

    def get(self, command_id: str) -> Delivery | None:
        """Return the durable row; of a final one, and of one that is kept as its place in the log, only its status."""
        row = self._rows.get(command_id)
        if row is not None:
            return row
        if compact(command_id) in self._places:
            return _placed(command_id)
        day = self._ended.day(command_id)
        return None if day is None else Delivery(command_id=command_id, status="reported", at=day * DAY)

    async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Make ``outputs`` durable and then the rows. Raises LogUnavailableError or FencedError."""
        if self._fenced:
            raise FencedError
        if outputs:
            await self._outputs.add(outputs)
        if not deliveries:
            return
        rows = [msgspec.structs.replace(row, term=self.term) for row in deliveries]
        values = [codec.encode(row) for row in rows]
        records = [(row.command_id.encode(), value) for row, value in zip(rows, values, strict=True)]
        offsets = await self._records.add(records)
        for row, value, offset in zip(rows, values, offsets, strict=True):
            self._apply(row, len(value), offset)

    @property
    def waiting(self) -> int:
        """How many rows are not final."""
        return len(self._sizes) + len(self._places)

    async def load(self, command_ids: Sequence[str]) -> list[Delivery]:
        """Return the ``deferred`` rows among those of ``command_ids``, each with its command.

        Raises LogUnavailableError, and RowMissingError.
        """
        kept = (self._rows.get(command_id) for command_id in command_ids)
        found = [row for row in kept if row is not None and row.status == "deferred"]
        places = {self._places.get(compact(command_id)): command_id for command_id in command_ids}
        places.pop(None, None)
        return found + await self._read_back({at: name for at, name in places.items() if at is not None})

    def open(self) -> Iterator[Delivery]:
        """Yield the rows that are not final; of those kept as their place in the log, only the status."""
        yield from [row for row in self._rows.values() if row.status in _OPEN]
        for key in list(self._places):
            yield _placed(expand(key))

    def in_hand(self) -> list[str]:
        """Return the ids of the rows that are ``sending``."""
        return [row.command_id for row in self._rows.values() if row.status == "sending"]

    def forget_old(self) -> None:
        """Drop from memory what ended so long ago that its command cannot be read any more. Twice is harmless."""
        oldest = self._clock() // DAY - _REMEMBERED_DAYS
        self._ended.forget(oldest)
        for row in [row for row in self._rows.values() if row.status == "cancelled" and row.at // DAY < oldest]:
            del self._rows[row.command_id]

    async def _read_back(self, places: dict[int, str]) -> list[Delivery]:
        """Read the rows at the offsets ``places``: near ones in one go. Compaction moves no record."""
        found: list[Delivery] = []
        left = sorted(places, reverse=True)
        while left:
            begin = left[-1]
            async with contextlib.aclosing(self._reader.read_all(DELIVERIES, self._partition, begin)) as batches:
                async for batch in batches:
                    known = {record.offset: record for record in batch}
                    while left and left[-1] in known:
                        at = left.pop()
                        found.append(self._row_at(known[at], places[at]))
                    if not left or left[-1] <= batch[-1].offset or left[-1] - batch[-1].offset > _GAP:
                        break
            if left and left[-1] == begin:
                raise RowMissingError
        return found

    def _row_at(self, record: LogRecord, command_id: str) -> Delivery:
        row = codec.DELIVERIES.decode(record.value)
        if row.command_id != command_id:
            raise RowMissingError
        return row

    async def _delete_old(self) -> None:
        """Write the tombstones of rows that ended long ago. What a crash leaves out is found at the next start."""
        old, self._old = sorted(self._old), set()
        for start in range(0, len(old), _TOMBSTONES):
            await self._write([(key.encode(), None) for key in old[start : start + _TOMBSTONES]])

    async def _publish(self, outputs: Sequence[Output]) -> list[None]:
        await self._publisher.publish(outputs)
        return [None] * len(outputs)

    async def _write(self, records: Sequence[_Record]) -> list[int]:
        self._written += len(records)
        try:
            return await self._publisher.append(
                [Output(DELIVERIES, key, value, self._partition) for key, value in records]
            )
        except BaseException:
            # Written or not: the count of our own records is not one any more.
            self._certain = False
            raise

    async def _read_on(self) -> list[str]:
        """Fold what was written since the last reading; return the ids whose row a former owner overwrote."""
        overwritten: list[str] = []
        async for batch in self._reader.read_all(DELIVERIES, self._partition, self._position):
            for record in batch:
                self._fold(record, overwritten)
                self._position = record.offset + 1
        # What is written meanwhile is counted again: the next look reads once more, and changes nothing.
        self._written = 0
        self._certain = True
        return overwritten

    def _fold(self, record: LogRecord, overwritten: list[str]) -> None:
        if record.key is None:
            return
        if record.value is None:
            self._drop(record.key.decode("utf-8", "replace"))
        elif record.key == _OWNER_KEY:
            self._meet_owner(record.offset, record.value)
        elif record.key == _FLOOR_KEY:
            self._floor = max(self._floor, int(record.value))
        elif not record.key.startswith(b"\x00"):
            self._fold_row(record, overwritten)

    def _fold_row(self, record: LogRecord, overwritten: list[str]) -> None:
        try:
            row = codec.DELIVERIES.decode(record.value)
        except BadMessageError as error:
            _LOG.error("dispatcher.bad_row", partition=self._partition, offset=record.offset, reason=str(error))
            return
        term = row.term or 0
        if term == self.term:
            return
        if term < self._floor:
            overwritten.append(row.command_id)
            return
        if term > self.term >= 0:
            self._fenced = True
            raise FencedError
        self._floor = max(self._floor, term)
        self._old.discard(row.command_id)
        if row.status not in _OPEN and self._clock() - row.at >= _KEPT:
            # An open row of before its end may still be in the log: compaction has its own time.
            self._drop(row.command_id)
            self._old.add(row.command_id)
        else:
            self._apply(row, len(record.value or b""), record.offset)

    def _meet_owner(self, offset: int, token: bytes) -> None:
        if token == self._token:
            self.term = offset
        elif self.term >= 0 and offset > self.term:
            self._fenced = True
            raise FencedError

    def _drop(self, command_id: str) -> None:
        self.held -= self._sizes.pop(command_id, 0)
        self._rows.pop(command_id, None)
        self._places.pop(compact(command_id), None)

    def _apply(self, row: Delivery, size: int, offset: int) -> None:
        command_id = row.command_id
        self._drop(command_id)
        key = compact(command_id)
        if row.status == "reported":
            self._ended.add(command_id, row.at)
        elif row.status == "deferred" and self.held + size > self._most and offset >= 0 and expand(key) == command_id:
            self._places[key] = offset
        else:
            self._rows[command_id] = row
            if row.status in _OPEN:
                self.held += size
                self._sizes[command_id] = size


def _placed(command_id: str) -> Delivery:
    return Delivery(command_id=command_id, status="deferred", at=0)
