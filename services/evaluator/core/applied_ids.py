"""The messageIds that a row remembers, packed: 16 bytes each in the order in which they were applied, the oldest first.

A busy contact has a thousand, and each event adds one: as objects of their own they would be copied and written one by
one. An id is the eight bytes of its short hash, then eight of a number that goes with it (``duplicates``).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

_ID = Struct(">QQ")
ID_BYTES = _ID.size
_HALF = ID_BYTES // 2


def with_id(ids: bytes, hashed: int, number: int) -> bytes:
    """Return ``ids`` with one more."""
    return ids + _ID.pack(hashed, number)


def number_of_id(ids: bytes, hashed: int) -> int | None:
    """Return the number that goes with ``hashed``; None: it is not remembered."""
    wanted = hashed.to_bytes(_HALF, "big")
    found = ids.find(wanted)
    while found >= 0 and found % ID_BYTES:  # what looks like it, across two others
        found = ids.find(wanted, found + 1)
    return None if found < 0 else number_at(ids, found)


def number_at(ids: bytes, place: int) -> int:
    """Return the number that goes with the id that begins at byte ``place``."""
    return int.from_bytes(ids[place + _HALF : place + ID_BYTES], "big")


def each_id(ids: bytes) -> Iterator[tuple[int, int]]:
    """Yield each hash with its number, the oldest first."""
    return _ID.iter_unpack(ids)
