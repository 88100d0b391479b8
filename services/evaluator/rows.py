"""A contact's row as it is kept: a fixed head that can be read without decoding, then the state.

::

    bytes 0-7    next_due, unsigned big-endian ms; 2**64-1: no timer
    bytes 8-9    commands pending, unsigned
    bytes 10-11  commands held back, unsigned
    byte 12      schema version
    bytes 13-20  number of the catalogue that the contact has adopted, unsigned; not in version 1, where it is none
    the rest     msgpack of ``Row``

Versions before 3 kept the last events and messageIds in another form, and version 3 makes a release that knows no other
refuse the row rather than take repeats for new.
"""

from __future__ import annotations

import struct

import msgspec

from services.evaluator.core.older import upgraded
from services.evaluator.core.state import ContactState
from shared.errors import BadMessageError
from shared.messages.command import CommandRecord

ROW_VERSION = 3
_READ = (2, ROW_VERSION)
"""With a head as it is written now."""
_HEAD = struct.Struct(">QHHBQ")
_FIRST_HEAD = struct.Struct(">QHHB")
"""Version 1's, and how each version's begins."""
_VERSION_AT = _FIRST_HEAD.size - 1


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of one contact.

    ``offset`` is the highest offset applied, in the log that ``incarnation`` (a short hash of its id) names; a record
    at or below it is a repeat. ``held`` are marketing commands decided while the partition was behind.
    """

    state: ContactState
    offset: int = -1
    incarnation: int = 0
    held: tuple[CommandRecord, ...] = ()


class Head(msgspec.Struct, frozen=True, gc=False):
    """What an index needs to know of a row."""

    next_due: int
    pending: int
    held: int
    adopted: int = 0


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Row)
_MOST = 0xFFFF


def encode_row(row: Row) -> bytes:
    """Return the stored form of ``row``."""
    head = head_of(row)
    return _HEAD.pack(head.next_due, head.pending, head.held, ROW_VERSION, head.adopted) + _ENCODER.encode(row)


def head_of(row: Row) -> Head:
    """Return the head that ``row`` is stored with."""
    state = row.state
    # A timer of a run that was entered before 1970 is as overdue as any.
    due, pending, held = max(0, state.next_due), min(len(state.pending), _MOST), min(len(row.held), _MOST)
    return Head(due, pending, held, state.adopted)


def read_head(value: bytes) -> Head:
    """Return the head of a stored row. Raises BadMessageError when the row is of another release."""
    if len(value) >= _HEAD.size:  # a restart reads millions, nearly all of them of this version
        due, pending, held, version, adopted = _HEAD.unpack_from(value)
        if version in _READ:
            return Head(due, pending, held, adopted)
    return _split(value)[0]


def decode_row(value: bytes) -> Row:
    """Return the row of its stored form. Raises BadMessageError."""
    _, size = _split(value)
    try:
        row = _DECODER.decode(memoryview(value)[size:])
    except msgspec.DecodeError as error:
        raise BadMessageError(f"a contact row cannot be read: {error}") from error
    return row if value[_VERSION_AT] == ROW_VERSION else msgspec.structs.replace(row, state=upgraded(row.state))


def _split(value: bytes) -> tuple[Head, int]:
    """Return the head of a stored row, and how long it is."""
    size = len(value)
    if size >= _HEAD.size:  # a restart reads millions, nearly all of them of this version
        due, pending, held, version, adopted = _HEAD.unpack_from(value)
        if version in _READ:
            return Head(due, pending, held, adopted), _HEAD.size
    if size < _FIRST_HEAD.size:
        raise BadMessageError("a contact row is cut short")
    due, pending, held, version = _FIRST_HEAD.unpack_from(value)
    if version in _READ:
        raise BadMessageError("a contact row is cut short")
    if version != 1:
        raise BadMessageError(f"a contact row has schema version {version}; this release reads 1 to {ROW_VERSION}")
    return Head(due, pending, held), _FIRST_HEAD.size
