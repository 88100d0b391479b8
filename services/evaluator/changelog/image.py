"""A partition's state as its changelog tells it, record by record. Reads and writes nothing itself."""

from __future__ import annotations

from collections.abc import Iterator

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
    stamp_of,
)
from services.evaluator.meta import decode_meta
from shared.errors import BadMessageError
from shared.log import LogRecord
from shared.messages.topics import INCARNATION_KEY

_LOG = structlog.get_logger(__name__)


class Image:
    """Rows, outboxes and meta row. A record of a lower term that stands behind a higher claim is a stale writer's.

    Such a record changes nothing here; its key is kept in ``overwritten``, for compaction would keep the stale record
    and drop the good one: the owner writes the good one again.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.rows: dict[str, bytes] = {}
        self.meta: bytes | None = None
        self.term = 0
        self.claim: Claim | None = None
        self.overwritten: set[bytes] = set()
        self.next_offset = 0
        self._outboxes: dict[bytes, bytes] = {}

    def apply(self, record: LogRecord) -> None:
        """Take the next record in."""
        stamp = self.look(record)
        if record.key is None or stamp is None:
            return
        if record.key == CLAIM:
            if record.value is not None and stamp.term > self.term:
                self.term = stamp.term
                self.claim = decode_claim(record.value)
            return
        if stamp.term < self.term:
            self.overwritten.add(record.key)
            return
        self.overwritten.discard(record.key)
        self.put(record.key, record.value)

    def look(self, record: LogRecord) -> Stamp | None:
        """Move behind ``record`` and return who wrote it; None: none of us, and it is to be passed over.

        An operator's tombstone, say. What such a record overwrote is repaired like a stale writer's.
        """
        self.next_offset = record.offset + 1
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

    def current(self, key: bytes) -> bytes | None:
        """Return the value that ``key`` ought to have in the log; None: a tombstone."""
        if key == META:
            return self.meta
        if key.startswith(OUTBOX):
            return self._outboxes.get(key)
        return self.rows.get(key[len(CONTACT) :].decode())

    def contacts(self) -> Iterator[tuple[str, bytes]]:
        """Yield every contact with its row."""
        yield from self.rows.items()

    def put(self, key: bytes, value: bytes | None) -> None:
        """Take in what a record of ours with ``key`` says."""
        if key == META:
            self.meta = value
        elif key.startswith(OUTBOX):
            if value is None:
                self._outboxes.pop(key, None)
            else:
                self._outboxes[key] = value
        elif value is None:
            self.rows.pop(key[len(CONTACT) :].decode(), None)
        else:
            self.rows[key[len(CONTACT) :].decode()] = value


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True
