"""How far a partition's offset may be committed: up to the first record that is not finished."""

from __future__ import annotations

from collections import deque


class Progress:
    """Tracks records that finish in any order. Offsets may have gaps; each is started once, in order."""

    def __init__(self) -> None:
        self._started: deque[int] = deque()
        self._finished: set[int] = set()
        self._next: int | None = None

    @property
    def committable(self) -> int | None:
        """The offset to commit: one past the last record before which all are finished; None if none is."""
        return self._next

    @property
    def unfinished(self) -> int:
        """How many records were started and cannot be committed yet."""
        return len(self._started)

    def start(self, offset: int) -> None:
        """A record was read."""
        self._started.append(offset)

    def finish(self, offset: int) -> None:
        """A record needs no more of us: what it asked for is durable."""
        self._finished.add(offset)
        while self._started and self._started[0] in self._finished:
            first = self._started.popleft()
            self._finished.discard(first)
            self._next = first + 1
