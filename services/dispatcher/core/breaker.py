"""When a provider is left alone for a while, by what its calls came to. ``lanes`` is the shell around it."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.clock import MINUTE, SECOND

BreakerState = Literal["closed", "open", "half_open"]


class BreakerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When it opens and for how long.

    After ``failures`` in a row; sooner when the first of at least two was ``failing`` ms ago; when nobody has been
    answered for ``silent`` ms while somebody waits. Open for ``first`` ms, each time in a row twice as long.
    """

    failures: int = 5
    failing: int = 2 * SECOND
    silent: int = 4 * SECOND
    first: int = SECOND
    longest: int = MINUTE


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """``failures`` in a row since ``failing_since``; opened ``openings`` times in a row, the last time until ``until``.

    Closed while ``until`` is None. From ``until`` on it is half open: one call at a time finds out. ``paused``: the
    provider itself named ``until``.
    """

    failures: int = 0
    failing_since: int = 0
    openings: int = 0
    until: int | None = None
    paused: bool = False

    def state(self, now: int) -> BreakerState:
        """Return what holds at ``now``."""
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half_open"


def answered(breaker: Breaker, now: int) -> Breaker:
    """Return ``breaker`` after a call that was answered: closed, but for a pause that lasts."""
    return breaker if breaker.paused and breaker.state(now) == "open" else Breaker()


def paused(breaker: Breaker, now: int, milliseconds: int) -> Breaker:
    """Return ``breaker`` after the provider asked to be left alone for so long."""
    until = max(breaker.until or 0, now + milliseconds)
    return Breaker(openings=breaker.openings, until=until, paused=True)


def failed(breaker: Breaker, now: int, jitter: float, policy: BreakerPolicy) -> Breaker:
    """Return ``breaker`` after a call that failed. While it is open a straggler's failure says nothing new."""
    state = breaker.state(now)
    if state == "open":
        return breaker
    failures = breaker.failures + 1
    since = breaker.failing_since if breaker.failures else now
    long = failures > 1 and now - since >= policy.failing
    if state == "half_open" or long or failures >= policy.failures:
        return opened(breaker, now, jitter, policy)
    return Breaker(failures=failures, failing_since=since)


def opened(breaker: Breaker, now: int, jitter: float, policy: BreakerPolicy) -> Breaker:
    """Return ``breaker`` opened; ``jitter`` in [0, 1) picks the end within the second half of the back-off."""
    window = min(policy.first << min(breaker.openings, 16), policy.longest)
    return Breaker(openings=breaker.openings + 1, until=now + window // 2 + int(window / 2 * jitter))


def is_silent(oldest: int, answered: int, now: int, policy: BreakerPolicy) -> bool:
    """Return whether a provider hangs: a call has waited since ``oldest``, and none was answered since ``answered``."""
    return now - max(oldest, answered) >= policy.silent
