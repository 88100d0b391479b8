"""Which contacts have a timer due, in order. Hints only: the contact's row is the truth."""

from __future__ import annotations

import heapq

from services.evaluator.core.state import NEVER

_SLACK = 64


class DueIndex:
    """The earliest due time of each contact of one partition. Nothing of it is stored: it is rebuilt from the rows."""

    def __init__(self) -> None:
        """Start empty."""
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Return how many contacts have a timer."""
        return len(self._due)

    def set(self, contact: str, due: int) -> None:
        """Note that ``contact``'s next timer is due at ``due``; NEVER: it has none."""
        if due == NEVER:
            self._due.pop(contact, None)
        elif self._due.get(contact) != due:
            self._due[contact] = due
            heapq.heappush(self._heap, (due, contact))
            # A wait that is reset leaves its old entry behind, deep in the heap: one per event, not per contact.
            if len(self._heap) > 2 * len(self._due) + _SLACK:
                self._heap = [(at, name) for name, at in self._due.items()]
                heapq.heapify(self._heap)

    def next_due(self) -> int:
        """Return the earliest due time, or NEVER."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else NEVER

    def due(self, before: int, limit: int) -> list[str]:
        """Return up to ``limit`` contacts with a timer due before ``before``, the earliest first.

        They are no longer in the index: the caller fires them and sets their next due time.
        """
        found: list[str] = []
        while len(found) < limit and self.next_due() < before:
            _, contact = heapq.heappop(self._heap)
            del self._due[contact]
            found.append(contact)
        return found

    def _drop_stale(self) -> None:
        heap, due = self._heap, self._due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
