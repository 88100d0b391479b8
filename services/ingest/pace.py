"""How often something may be done here, whoever asks."""

from __future__ import annotations

from services.ingest.rates import Rate, charge, wait
from shared.clock import Clock, monotonic_clock


class Pace:
    """At most ``per_second`` in the long run, and so many at once after a silence."""

    def __init__(self, per_second: int, clock: Clock = monotonic_clock) -> None:
        """Begin rested. ``clock`` is a monotonic one."""
        self._rate = Rate(per_second=per_second, burst=per_second)
        self._clock = clock
        self._full_at = 0.0

    def take(self) -> bool:
        """Count one and return True, or False if it is too soon."""
        now = self._clock()
        if wait(self._full_at, self._rate, now) > 0:
            return False
        self._full_at = charge(self._full_at, self._rate, 1, now)
        return True
