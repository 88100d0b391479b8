"""Deferred and retried commands in the order of their time, on two clocks. Holds ids only: the ledger has the rows."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from services.dispatcher.core.policy import ClockName
from shared.messages.delivery import Delivery


class Schedule:
    """What is to be tried again. Built from ``deliveries`` at the start; never sleeps, never forgets.

    An entry whose row has moved on meanwhile (cancelled, sent, deferred anew) is passed over, so nothing is removed.
    """

    def __init__(self, get: Callable[[str], Delivery | None]) -> None:
        self._get = get
        self._heaps: dict[ClockName, list[tuple[int, str]]] = {"journey": [], "machine": []}

    def __len__(self) -> int:
        """Count the entries, passed-over ones included."""
        return sum(len(heap) for heap in self._heaps.values())

    def put(self, row: Delivery) -> None:
        """Add a deferred ``row``; twice is passed over when it is taken."""
        heapq.heappush(self._heaps[row.clock], (row.retry_at or 0, row.command_id))

    def take_due(self, journey_now: int, machine_now: int, limit: int) -> list[Delivery]:
        """Remove and return at most ``limit`` rows that are due, the most overdue of each clock first."""
        due: dict[str, Delivery] = {}
        for clock, now in (("journey", journey_now), ("machine", machine_now)):
            heap = self._heaps["journey" if clock == "journey" else "machine"]
            while heap and heap[0][0] <= now and len(due) < limit:
                at, command_id = heapq.heappop(heap)
                row = self._get(command_id)
                if row is not None and row.status == "deferred" and row.clock == clock and (row.retry_at or 0) == at:
                    due[command_id] = row
        return list(due.values())

    def next_at(self, clock: ClockName) -> int | None:
        """Return the earliest time on ``clock`` at which something may be due."""
        heap = self._heaps[clock]
        return heap[0][0] if heap else None
