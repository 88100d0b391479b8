"""Which contacts have a timer due, in order.

Far timers lie in buckets by their hour, as a reference to the contact and its due time. A bucket that outgrows
``SPLIT`` is split into minutes, seconds, milliseconds. The earliest bucket is the near one, a heap: nothing is sorted
before it is near, and no step sorts more than one bucket. Removed entries stay in their bucket until they are a quarter
of it. Measured with 1 M (``benchmarks/timers.py``): 24 bytes a timer on top of the contact's key.
"""

from __future__ import annotations

import heapq
from array import array

from services.evaluator.core.state import NEVER
from shared.clock import HOUR, MINUTE, SECOND

SPLIT = 4_096
"""Entries of a bucket above which it is split, so what one step sorts at most; but for those of one millisecond."""
_NARROWER = {HOUR: MINUTE, MINUTE: SECOND, SECOND: 1}
_SLACK = 64


class _Bucket:
    """Contacts with their due times, in no order. ``gone`` are entries that no longer count."""

    __slots__ = ("contacts", "dues", "gone")

    def __init__(self) -> None:
        self.contacts: list[str] = []
        self.dues = array("Q")
        self.gone: set[tuple[int, str]] = set()

    def add(self, due: int, contact: str) -> None:
        if (due, contact) in self.gone:
            self.gone.remove((due, contact))
        else:
            self.contacts.append(contact)
            self.dues.append(due)

    def remove(self, due: int, contact: str) -> None:
        self.gone.add((due, contact))
        if 4 * len(self.gone) > len(self.contacts) + _SLACK:
            live = self.live()
            self.dues = array("Q", [due for due, _ in live])
            self.contacts = [contact for _, contact in live]
            self.gone = set()

    def live(self) -> list[tuple[int, str]]:
        entries = zip(self.dues, self.contacts, strict=True)
        return [entry for entry in entries if entry not in self.gone] if self.gone else list(entries)


_Buckets = dict[int, "_Bucket | _Buckets"]  # by due time // width


class DueIndex:
    """The earliest due time of each contact of one partition. Nothing of it is stored: it is rebuilt from the rows."""

    def __init__(self) -> None:
        """Start empty."""
        self._count = 0
        self._hours: _Buckets = {}
        # All entries before ``_near_end`` are here, all others in the buckets.
        self._near: list[tuple[int, str]] = []
        self._near_gone: set[tuple[int, str]] = set()
        self._near_end = 0
        self._near_most = 0

    def __len__(self) -> int:
        """Return how many contacts have a timer."""
        return self._count

    def set(self, contact: str, due: int, was: int) -> None:
        """Note that ``contact``'s next timer is due at ``due`` and no longer at ``was``, as set last; NEVER: none."""
        if due == was:
            return
        if was != NEVER:
            self._count -= 1
            if was < self._near_end:
                self._near_gone.add((was, contact))
                if 4 * len(self._near_gone) > len(self._near) + _SLACK:
                    self._near = self._live_near()
                    self._near_gone = set()
                    heapq.heapify(self._near)
            else:
                self._bucket(was).remove(was, contact)
        if due != NEVER:
            self._count += 1
            if due >= self._near_end:
                self._bucket(due).add(due, contact)
            elif (due, contact) in self._near_gone:
                self._near_gone.remove((due, contact))
            else:
                heapq.heappush(self._near, (due, contact))
                if len(self._near) > self._near_most:
                    self._spread()

    def add(self, contact: str, due: int) -> None:
        """As ``set``, for a contact that has none and a ``due`` that is not NEVER. Of use at a restart."""
        found = self._hours.get(due // HOUR)
        if due < self._near_end or not isinstance(found, _Bucket) or found.gone or len(found.contacts) >= SPLIT:
            self.set(contact, due, NEVER)
            return
        self._count += 1
        found.contacts.append(contact)
        found.dues.append(due)

    def next_due(self) -> int:
        """Return the earliest due time, or NEVER."""
        near, gone = self._near, self._near_gone
        while gone and near and near[0] in gone:
            gone.remove(heapq.heappop(near))
        if near:
            return near[0][0]
        return NEVER if not self._count else self._approach()

    def first(self, before: int) -> str | None:
        """Return the contact whose timer is due first, if that is before ``before``; at one time in their order."""
        return self._near[0][1] if self.next_due() < before else None

    def _bucket(self, due: int) -> _Bucket:
        """Return the bucket of ``due``, with room for one more."""
        buckets, width = self._hours, HOUR
        while True:
            key = due // width
            found = buckets.get(key)
            if found is None:
                found = buckets[key] = _Bucket()
            if isinstance(found, _Bucket):
                if len(found.contacts) < SPLIT or width == 1:
                    return found
                narrower: _Buckets = {}
                for at, contact in found.live():
                    bucket = narrower.setdefault(at // _NARROWER[width], _Bucket())
                    assert isinstance(bucket, _Bucket)  # noqa: S101 - just made
                    bucket.add(at, contact)
                found = buckets[key] = narrower
            buckets, width = found, _NARROWER[width]

    def _approach(self) -> int:
        """Make the earliest bucket with an entry the near one and return the earliest due time."""
        while True:
            path: list[tuple[_Buckets, int]] = []
            buckets, width = self._hours, HOUR
            while True:
                key = min(buckets)
                path.append((buckets, key))
                found = buckets[key]
                if isinstance(found, _Bucket):
                    break
                buckets, width = found, _NARROWER[width]
            for parent, number in reversed(path):
                del parent[number]
                if parent:
                    break
            self._near_end = (key + 1) * width
            self._near, self._near_gone = found.live(), set()
            self._near_most = 2 * (len(self._near) + SPLIT)
            if self._near:
                heapq.heapify(self._near)
                return self._near[0][0]

    def _spread(self) -> None:
        """Put the near entries back into buckets: too many earlier ones have come since the nearest was far."""
        entries = self._live_near()
        self._near, self._near_gone, self._near_end = [], set(), 0
        for due, contact in entries:
            self._bucket(due).add(due, contact)

    def _live_near(self) -> list[tuple[int, str]]:
        return [entry for entry in self._near if entry not in self._near_gone]
