"""``deliveries`` on Kafka: one partition's rows, read to its end by each new owner and written through by it alone.

An owner's *term* is the offset of its owner record, so every later owner has a higher one. Its rows carry the term.
Once it has read everything it writes a floor record; from there on rows of a lower term are a former owner's
afterthoughts: every reader passes them over, and the owner writes its own row again before compaction drops it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import structlog

from services.dispatcher.ports import FencedError
from shared.clock import DAY, Clock
from shared.errors import BadMessageError
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


class KafkaLedger:
    """A ``Ledger`` of one partition. Final rows are remembered as bare ids (16 bytes each) for eight days."""

    def __init__(self, partition: int, *, publisher: Publisher, reader: LogReader, clock: Clock) -> None:
        self.term = -1
        self._partition = partition
        self._publisher = publisher
        self._reader = reader
        self._clock = clock
        self.held = 0
        self._rows: dict[str, Delivery] = {}
        self._sizes: dict[str, int] = {}
        self._final: dict[int, set[bytes]] = {}
        self._position = 0
        self._floor = -1
        self._written = 0
        self._certain = True
        self._token = b""
        self._fenced = False
        self._old: set[str] = set()

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
        mine = [row for key in await self._read_on() if (row := self.get(key)) is not None]
        if mine:
            _LOG.warning("dispatcher.rows_rewritten", partition=self._partition, rows=len(mine))
            await self.put(mine)

    def get(self, command_id: str) -> Delivery | None:
        """Return the durable row; of a final one only its status."""
        row = self._rows.get(command_id)
        if row is not None:
            return row
        key = _compact(command_id)
        for day, ids in self._final.items():
            if key in ids:
                return Delivery(command_id=command_id, status="reported", at=day * DAY)
        return None

    async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Make ``outputs`` durable and then the rows. Raises LogUnavailableError or FencedError."""
        if self._fenced:
            raise FencedError
        if outputs:
            await self._publisher.publish(outputs)
        if not deliveries:
            return
        rows = [msgspec.structs.replace(row, term=self.term) for row in deliveries]
        values = [codec.encode(row) for row in rows]
        await self._write([(row.command_id.encode(), value) for row, value in zip(rows, values, strict=True)])
        for row, value in zip(rows, values, strict=True):
            self._apply(row, len(value))

    async def load(self, command_ids: Sequence[str]) -> list[Delivery]:
        """Return the ``deferred`` rows among those of ``command_ids``, each with its command."""
        rows = (self._rows.get(command_id) for command_id in command_ids)
        return [row for row in rows if row is not None and row.status == "deferred"]

    def open(self) -> Iterator[Delivery]:
        """Yield the rows that are not final."""
        return iter([row for row in self._rows.values() if row.status in _OPEN])

    def forget_old(self) -> None:
        """Drop from memory what ended so long ago that its command cannot be read any more. Twice is harmless."""
        oldest = self._clock() // DAY - _REMEMBERED_DAYS
        for day in [day for day in self._final if day < oldest]:
            del self._final[day]
        for row in [row for row in self._rows.values() if row.status == "cancelled" and row.at // DAY < oldest]:
            del self._rows[row.command_id]

    async def _delete_old(self) -> None:
        """Write the tombstones of rows that ended long ago. What a crash leaves out is found at the next start."""
        old, self._old = sorted(self._old), set()
        for start in range(0, len(old), _TOMBSTONES):
            await self._write([(key.encode(), None) for key in old[start : start + _TOMBSTONES]])

    async def _write(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        self._written += len(records)
        try:
            await self._publisher.publish([Output(DELIVERIES, key, value, self._partition) for key, value in records])
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
        if record.key is None or record.value is None:
            return
        if record.key == _OWNER_KEY:
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
            self._old.add(row.command_id)
        else:
            self._apply(row, len(record.value or b""))

    def _meet_owner(self, offset: int, token: bytes) -> None:
        if token == self._token:
            self.term = offset
        elif self.term >= 0 and offset > self.term:
            self._fenced = True
            raise FencedError

    def _apply(self, row: Delivery, size: int) -> None:
        self.held -= self._sizes.pop(row.command_id, 0)
        if row.status in _OPEN:
            self.held += size
            self._sizes[row.command_id] = size
        if row.status == "reported":
            self._rows.pop(row.command_id, None)
            self._final.setdefault(row.at // DAY, set()).add(_compact(row.command_id))
        else:
            self._rows[row.command_id] = row


def _compact(command_id: str) -> bytes:
    """Return 16 bytes for a uuid, and any other id as it is."""
    try:
        return bytes.fromhex(command_id.replace("-", ""))
    except ValueError:
        return command_id.encode()
