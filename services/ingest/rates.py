"""How often a source may send: the generic cell rate algorithm. Pure: the time is an argument.

All that is kept of a source is when its bucket will be full again (the algorithm's *theoretical arrival time*): no
counter has to be reset, and nothing runs in the background.
"""

from __future__ import annotations

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """``per_second`` events in the long run, and up to ``burst`` at once after a silence."""

    per_second: float
    burst: int


def wait(full_at: float, rate: Rate, now: float) -> float:
    """Return the ms until the next request is taken; 0: now.

    A request is taken when the bucket has room for one event. However many it then turns out to hold, they are paid
    for: a large batch is never starved, and the bucket it has overdrawn makes those after it wait.
    """
    interval = 1000 / rate.per_second
    return max(0.0, max(full_at, now) + interval - rate.burst * interval - now)


def charge(full_at: float, rate: Rate, events: int, now: float) -> float:
    """Return when the bucket will be full again, once ``events`` are taken out of it."""
    return max(full_at, now) + events * 1000 / rate.per_second
