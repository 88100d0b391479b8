"""What the records of ``contacts-changelog`` look like.

Keys: ``c:<contact>`` a row · ``o:<slot>`` an outbox, slot = epoch mod 16 · ``m`` the meta row · ``t`` a claim. Every
record carries the header ``e``: term and epoch, eight bytes each, tombstones and claims too.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence

import msgspec

from shared.errors import BadMessageError
from shared.log import LogRecord, Output

CONTACT = b"c:"
OUTBOX = b"o:"
META = b"m"
CLAIM = b"t"
SLOTS = 16
"""Outboxes that can be waiting for their acknowledgement at once."""

_STAMP = struct.Struct(">QQ")
_HEADER = "e"


class Stamp(msgspec.Struct, frozen=True, order=True):
    """Who wrote a record: the claim (``term``) and the epoch."""

    term: int
    epoch: int

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the stamp as a record's headers."""
        return [(_HEADER, _STAMP.pack(self.term, self.epoch))]


class Outbox(msgspec.Struct, frozen=True, array_like=True):
    """Every output of one epoch, in order."""

    epoch: int
    outputs: tuple[Output, ...]


class Claim(msgspec.Struct, frozen=True):
    """``owner`` (random, one per assignment) takes the partition over as ``term``."""

    term: int
    owner: str


_PACK = msgspec.msgpack.Encoder()
_OUTBOX = msgspec.msgpack.Decoder(Outbox)
_CLAIM = msgspec.msgpack.Decoder(Claim)


def stamp_of(record: LogRecord) -> Stamp:
    """Return who wrote ``record``. Raises BadMessageError for one that is not ours."""
    for name, value in record.headers:
        if name == _HEADER and len(value) == _STAMP.size:
            return _stamp(value)
    raise BadMessageError(f"the changelog's record at offset {record.offset} carries no term")


@functools.lru_cache(maxsize=64)
def _stamp(value: bytes) -> Stamp:
    """Return the stamp; all records of an epoch carry the same."""
    return Stamp(*_STAMP.unpack(value))


def contact_record_key(contact: str) -> bytes:
    """Return the key of the contact's row."""
    return CONTACT + contact.encode()


def outbox_key(epoch: int) -> bytes:
    """Return the key of the slot that ``epoch``'s outbox stands in."""
    return OUTBOX + str(epoch % SLOTS).encode()


def encode_outbox(epoch: int, outputs: Sequence[Output]) -> bytes:
    """Return the outbox record's value."""
    return _PACK.encode(Outbox(epoch, tuple(outputs)))


def decode_outbox(value: bytes) -> Outbox:
    """Return the outbox of its record's value."""
    return _OUTBOX.decode(value)


def encode_claim(claim: Claim) -> bytes:
    """Return the claim record's value."""
    return _PACK.encode(claim)


def decode_claim(value: bytes) -> Claim:
    """Return the claim of its record's value."""
    return _CLAIM.decode(value)
