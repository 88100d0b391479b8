"""The decoded rows of one partition that were in use last, so that a busy contact's row is not decoded each time."""

from __future__ import annotations

from collections import OrderedDict

from services.evaluator.rows import Row

CACHED_ROWS = 20_000
CACHED_BYTES = 8 * 1024 * 1024
"""Of stored rows. Decoded, one takes five to ten times as much (``benchmarks/rows.py``): some 60 MB a partition."""

Cached = tuple[Row, int, int]
"""A row, the size of its stored form, and its ``next_due`` as noted last."""


class RowCache:
    """Bounded in rows and in bytes; what was longest not in use goes first."""

    def __init__(self) -> None:
        """Start empty."""
        self._rows: OrderedDict[str, Cached] = OrderedDict()
        self.size = 0
        """Bytes of the stored rows."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def get(self, contact: str) -> Cached | None:
        """Return what is kept of the contact."""
        found = self._rows.get(contact)
        if found is not None:
            self._rows.move_to_end(contact)
        return found

    def put(self, contact: str, cached: Cached, *, known_only: bool = False) -> None:
        """Keep the contact's row; with ``known_only`` if one is kept already, and else drop nothing for it."""
        old = self._rows.get(contact)
        if old is None and known_only:
            return
        self.size += cached[1] - (0 if old is None else old[1])
        self._rows[contact] = cached
        self._rows.move_to_end(contact)
        while len(self._rows) > CACHED_ROWS or self.size > CACHED_BYTES:
            _, (_, size, _) = self._rows.popitem(last=False)
            self.size -= size
