"""A partition's state as its changelog tells it, record by record. Reads and writes no log itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from services.evaluator.changelog.records import (
    CLAIM,
    CONTACT,
    META,
    OUTBOX,
    Claim,
    Outbox,
    Stamp,
    decode_claim,
    decode_outbox,
    outbox_key,
    stamp_of,
)
from services.evaluator.changelog.rows import Mark, Place, Rows
from services.evaluator.meta import decode_meta
from shared.errors import BadMessageError
from shared.log import LogRecord
from shared.messages.topics import INCARNATION_KEY

_LOG = structlog.get_logger(__name__)

_ENDS = (META, CLAIM)
"""What ends an epoch, and what begins a term: reading can go on there. The log keeps the last of each for ever."""


class Image:
    """Rows, outboxes and meta row. A record of a lower term that stands behind a higher claim is a stale writer's.

    Such a record changes nothing here; its key is kept in ``overwritten``, for compaction would keep the stale record
    and drop the good one: the owner writes the good one again.

    Kept rows are continued from their mark. They are of this log only if the records that the mark names stand in it:
    until those have been read, they are ``unproved``. That tells a log that was created anew, cut off by a broker or
    compacted beyond the mark, whoever has written to it meanwhile. They are ``spoilt`` if we were the stale writer:
    what we appended behind another's claim, before we had read of it, is in these rows and in no other. The mark stays
    where it was until they are proved: moved on to that claim, it would take what stands behind it for the other's.
    """

    def __init__(self, rows: Rows, incarnation: str) -> None:
        """Start from what ``rows`` kept of the changelog of id ``incarnation``, or else empty."""
        self.rows = rows
        self.meta: bytes | None = None
        self.term = 0
        self.claim: Claim | None = None
        self.overwritten: set[bytes] = set()
        self.next_offset = 0
        self.unproved: set[Place] = set()
        self.spoilt = False
        self._kept_by: tuple[int, int] = 0, -1  # the term under which rows were kept, and up to which offset
        self._outboxes: dict[bytes, bytes] = {}
        self.incarnation = incarnation
        self._resume: Place | None = None
        self._last: Place | None = None
        self._mark: Mark | None = None
        # Our own records fill [begin, end) without a gap: once the rest of the log was read up to ``begin``, nothing
        # before ``end`` is unknown.
        self._own_begin = self._own_end = 0
        kept = rows.kept()
        if kept is None:
            return
        if kept.mark.incarnation != incarnation:
            rows.discard("of another changelog")
            return
        self.meta, self._outboxes = kept.meta, kept.outboxes
        self._continue(kept.mark)

    def rewind(self) -> bool:
        """Go back to the mark, as a restart does with kept rows: what stands there is to be proved again.

        False: nothing was complete yet, so that there is no mark to go back to.
        """
        if self._mark is None:
            return False
        self._continue(self._mark)
        return True

    @property
    def refuted(self) -> bool:
        """Whether what was read so far says that kept rows are not of this log."""
        return self.spoilt or any(place.offset < self.next_offset for place in self.unproved)

    @property
    def gap(self) -> bool:
        """Whether something that we have neither read nor written stands before our last record."""
        return self.next_offset < self._own_begin

    @property
    def end(self) -> int:
        """The offset below which the log is known to be full: whatever is appended now stands at or behind it."""
        return max(self.next_offset, self._own_end)

    def apply(self, records: Sequence[LogRecord]) -> None:
        """Take the next records in."""
        changes: dict[bytes, bytes | None] = {}
        last: LogRecord | None = None
        by = Stamp(0, 0)
        # Millions are rows that simply count, of one epoch and so with the headers of the record before: what is known
        # of that one holds for them.
        headers: tuple[tuple[str, bytes], ...] = ()
        plain = False
        for record in records:
            key = record.key
            if plain and record.headers is headers and key is not None and key.startswith(CONTACT):
                changes[key] = record.value
                last = record
                continue
            plain = False
            stamp = self.look(record)
            if stamp is None or key is None:
                continue
            last, by, headers = record, stamp, record.headers
            if self.unproved:
                self.unproved.discard(_place(record, stamp))
            if key == CLAIM:
                if record.value is not None and stamp.term > self.term:
                    self.term = stamp.term
                    self.claim = decode_claim(record.value)
            elif stamp.term < self.term:
                self.overwritten.add(key)
                term, upto = self._kept_by
                self.spoilt = self.spoilt or (stamp.term >= term and record.offset <= upto)
                continue
            else:
                if self.overwritten:
                    self.overwritten.discard(key)
                changes[key] = record.value
            if key in _ENDS and not self.overwritten:
                self._resume = _place(record, stamp)
            plain = stamp.term >= self.term and not self.unproved and not self.overwritten
        if records:
            self.next_offset = records[-1].offset + 1
        self._own_begin = self._own_end = self.next_offset
        if last is not None:
            self._take(changes, _place(last, by))

    def saved(self, records: Sequence[tuple[bytes, bytes | None]], first: int, stamp: Stamp) -> None:
        """Take in what we have appended ourselves, from offset ``first`` on."""
        if first != self._own_end:
            self._own_begin = first
        self._own_end = first + len(records)
        if not self.gap:
            self.next_offset = max(self.next_offset, self._own_end)
        last = Place(self._own_end - 1, records[-1][0], stamp)
        if last.key == META and not self.gap and not self.overwritten:
            self._resume = last
        self._take(dict(records), last)

    def look(self, record: LogRecord) -> Stamp | None:
        """Move behind ``record`` and return who wrote it; None: none of us, and it is to be passed over.

        An operator's tombstone, say. What such a record overwrote is repaired like a stale writer's.
        """
        self.next_offset = max(self.next_offset, record.offset + 1)
        if record.key is None or record.key == INCARNATION_KEY:
            return None
        try:
            return stamp_of(record)
        except BadMessageError as error:
            _LOG.error("changelog_foreign_record", offset=record.offset, error=str(error))
        if record.key == META or (record.key.startswith((CONTACT, OUTBOX)) and _is_text(record.key)):
            self.overwritten.add(record.key)
        return None

    def unacknowledged(self) -> list[Outbox]:
        """Return the outboxes whose outputs may be missing from their topics, in the order of their epochs."""
        if self.meta is None:
            return []
        done = decode_meta(self.meta).acknowledged
        outboxes = [decode_outbox(value) for value in self._outboxes.values()]
        return sorted((outbox for outbox in outboxes if outbox.epoch > done), key=lambda outbox: outbox.epoch)

    def acknowledged(self, epoch: int) -> None:
        """Forget the outbox of ``epoch``, whose outputs are all published: its place in the log may as well be empty.

        Sixteen of them, each as long as an epoch, would be kept for nothing.
        """
        self._outboxes.pop(outbox_key(epoch), None)

    def current(self, key: bytes) -> bytes | None:
        """Return the value that ``key`` ought to have in the log; None: a tombstone."""
        if key == META:
            return self.meta
        if key.startswith(OUTBOX):
            return self._outboxes.get(key)
        return self.rows.load(key[len(CONTACT) :].decode())

    def contacts(self) -> Iterator[tuple[str, bytes]]:
        """Yield every contact with its row."""
        return self.rows.scan()

    def _continue(self, mark: Mark) -> None:
        self._mark, self._resume, self._last, self.term = mark, mark.resume, mark.last, mark.term
        self.unproved = {mark.resume, mark.last}
        self.spoilt, self._kept_by = False, (mark.term, mark.last.offset)
        self.overwritten = set()
        self.next_offset = mark.resume.offset

    def _take(self, changes: dict[bytes, bytes | None], last: Place) -> None:
        for key, value in changes.items():
            if key.startswith(CONTACT):
                continue
            if key == META:
                self.meta = value
            elif key.startswith(OUTBOX):
                if value is None:
                    self._outboxes.pop(key, None)
                else:
                    self._outboxes[key] = value
        # Records that are read again, behind ``resume``, do not take back what is in the rows already.
        if self._last is None or last.offset > self._last.offset:
            self._last = last
        if self._resume is not None and not self.unproved and not self.spoilt:
            self._mark = Mark(self.incarnation, self.term, self._resume, self._last)
        self.rows.write(changes, self._mark)


def _place(record: LogRecord, stamp: Stamp) -> Place:
    return Place(record.offset, record.key or b"", stamp)


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
