"""Deferred and retried commands in lines: each waits for its time, and for room at whoever is asked for it.

Holds ids only: the ledger has the rows. Built from ``deliveries`` at the start; never sleeps, never forgets.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator

import msgspec

from services.dispatcher.core.policy import ClockName
from services.dispatcher.delivery import Line
from shared.messages.delivery import Delivery

Entry = tuple[int, str]
"""When it may be tried, and the command's id."""
_TIME = 8


class _Waiting:
    """One line on its two clocks; ``looked`` is how far through it the last glance came."""

    def __init__(self) -> None:
        # As bytes in the order of their times: a third of what tuples take.
        self.heaps: dict[ClockName, list[bytes]] = {"journey": [], "machine": []}
        self.looked = 0


class Times(msgspec.Struct, frozen=True):
    """Now, on both clocks."""

    journey: int
    machine: int

    def of(self, clock: ClockName) -> int:
        """Return now on ``clock``."""
        return self.journey if clock == "journey" else self.machine


class Schedule:
    """What is to be tried again. An entry whose row has moved on meanwhile is its taker's to pass over."""

    def __init__(self) -> None:
        self._lines: dict[Line, _Waiting] = {}

    def __len__(self) -> int:
        """Count the entries, those included that have moved on."""
        return sum(len(heap) for waiting in self._lines.values() for heap in waiting.heaps.values())

    def put(self, row: Delivery, line: Line) -> None:
        """Add a deferred ``row`` to ``line``."""
        heap = self._lines.setdefault(line, _Waiting()).heaps[row.clock]
        heapq.heappush(heap, (row.retry_at or 0).to_bytes(_TIME, "big") + row.command_id.encode())

    def take(self, now: Times, limit: int, in_hand: Container[str] = ()) -> list[Entry]:
        """Remove and return the entries that are due: of each line those due for longest, as many as there is room for.

        The urgent lines come first; at most ``limit`` of a line. What is ``in_hand`` stays: what becomes of it shows
        whether its entry still holds.
        """
        found: list[Entry] = []
        for line in sorted(self._lines, key=lambda line: not line.urgent):
            waiting = self._lines[line]
            if not any(_is_due(heap, now.of(clock)) for clock, heap in waiting.heaps.items()):
                continue
            room = min(limit, line.room)
            for clock, heap in waiting.heaps.items():
                stays: list[bytes] = []
                while room > 0 and _is_due(heap, now.of(clock)):
                    packed = heapq.heappop(heap)
                    entry = _entry(packed)
                    if entry[1] in in_hand:
                        stays.append(packed)
                    else:
                        found.append(entry)
                        room -= 1
                for packed in stays:
                    heapq.heappush(heap, packed)
        self._lines = {line: one for line, one in self._lines.items() if any(one.heaps.values())}
        return found

    def glance(self, limit: int) -> list[str]:
        """Return the ids of the next ``limit`` of each line without room, which stay in it; round and round."""
        return [command_id for line, one in self._lines.items() if not line.room for command_id in _next(one, limit)]


def _next(waiting: _Waiting, limit: int) -> Iterator[str]:
    entries = [heap for heap in waiting.heaps.values() if heap]
    size = sum(map(len, entries))
    for number in range(waiting.looked, min(waiting.looked + limit, size)):
        place = number
        for heap in entries:
            if place < len(heap):
                yield _entry(heap[place])[1]
                break
            place -= len(heap)
    waiting.looked = 0 if waiting.looked + limit >= size else waiting.looked + limit


def _is_due(heap: list[bytes], now: int) -> bool:
    return bool(heap) and int.from_bytes(heap[0][:_TIME], "big") <= now


def _entry(packed: bytes) -> Entry:
    return int.from_bytes(packed[:_TIME], "big"), packed[_TIME:].decode()
