"""How often something may be done."""

from __future__ import annotations

from shared.clock import SECOND, Clock, monotonic_clock


class Pace:
    """At most ``per_second`` on average, and so many at once after a second of rest."""

    def __init__(self, per_second: int, clock: Clock = monotonic_clock) -> None:
        """Begin rested."""
        self._per_second = per_second
        self._clock = clock
        self._left = per_second * SECOND  # in thousandths, so that it is exact
        self._at = clock()

    def take(self) -> bool:
        """Count one and return True, or False if it is too soon."""
        now = self._clock()
        self._left = min(self._per_second * SECOND, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < SECOND:
            return False
        self._left -= SECOND
        return True
