"""Where the rows of a partition's image are: the port, and its adapter in memory. On disk: ``disk``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from services.evaluator.changelog.records import CONTACT, Stamp
from shared.errors import PermanentError


class StateUnreadableError(PermanentError):
    """What is kept cannot be read or written. Discarded, it is read from the changelog again."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """One record of the changelog, told from every other that may stand at its offset in another history."""

    offset: int
    key: bytes
    stamp: Stamp


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """How far kept rows are complete, and of which log they are.

    ``incarnation`` is the changelog partition's id. Everything up to and with the record ``resume`` is in the rows, and
    nothing of it waits for repair; ``term`` was the highest claim then. ``last`` is the last record that is in them,
    so it stands behind ``resume`` when more than that was taken in.
    """

    incarnation: str
    term: int
    resume: Place
    last: Place


class Kept(msgspec.Struct, frozen=True):
    """What is kept beside the rows: the mark, the meta row and the outboxes by key."""

    mark: Mark
    meta: bytes | None
    outboxes: dict[bytes, bytes]


Changes = Mapping[bytes, bytes | None]
"""New values by the changelog's keys; None: gone."""


class Rows(Protocol):
    """The rows of one partition. Adapters: memory, disk."""

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row, or None."""

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Yield every contact with its row; nothing is written meanwhile."""

    def kept(self) -> Kept | None:
        """Return what an earlier process left; None: nothing, and there are no rows."""

    def write(self, changes: Changes, mark: Mark | None) -> None:
        """Take ``changes`` in together with ``mark``, both or neither; without a mark it is never ``kept``."""

    def discard(self, reason: str) -> None:
        """Forget everything, and tell the operator why."""

    def close(self) -> None:
        """End; the next process finds what was written, where that can be."""


class MemoryRows:
    """Rows in memory: the next process reads the whole changelog."""

    def __init__(self, _partition: int = 0) -> None:
        self._rows: dict[str, bytes] = {}

    def load(self, contact: str) -> bytes | None:
        """Return the contact's row, or None."""
        return self._rows.get(contact)

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Yield every contact with its row."""
        yield from self._rows.items()

    def kept(self) -> Kept | None:
        """Return None: memory ends with its process."""
        return None

    def write(self, changes: Changes, mark: Mark | None) -> None:
        """Take ``changes`` in."""
        rows, prefix = self._rows, len(CONTACT)
        for key, value in changes.items():
            if key.startswith(CONTACT):
                contact = key[prefix:].decode()
                if value is None:
                    rows.pop(contact, None)
                else:
                    rows[contact] = value

    def discard(self, reason: str) -> None:
        """Forget everything."""
        self._rows = {}

    def close(self) -> None:
        """Nothing is kept."""
