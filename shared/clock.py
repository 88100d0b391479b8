"""The only place that reads a clock.

Every time in Kikkake is an ``int``: milliseconds since 1970-01-01T00:00:00Z. Two clocks exist (ARCHITECTURE.md, "Two
clocks"): *journey time* follows the log and is what waits, expiry and windows are counted in; *machine time* is this
computer's clock and is what leases, back-off and freshness are counted in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    """Return the machine's wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic_clock() -> int:
    """Return milliseconds that never go back and keep counting while the process is stopped."""
    return time.monotonic_ns() // 1_000_000


def scaled_clock(speed: float, *, origin: int, clock: Clock = system_clock) -> Clock:
    """Return a clock that reads ``origin`` now and then runs ``speed`` times as fast as ``clock``."""
    started = clock()

    def now() -> int:
        return origin + int((clock() - started) * speed)

    return now


def to_iso(at: int) -> str:
    """Return ``at`` as RFC 3339 in UTC with milliseconds, such as ``2026-03-02T01:55:00.000Z``."""
    stamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def from_iso(text: str) -> int:
    """Return the milliseconds of an ISO 8601 instant; one without a zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    since = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH
    micros = since.microseconds
    # Most say no more than milliseconds, and rounding takes a third of the time.
    return since.days * DAY + since.seconds * SECOND + (round(micros / 1000) if micros % 1000 else micros // 1000)
