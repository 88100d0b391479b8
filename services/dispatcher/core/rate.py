"""A provider's rate as turns at equal distances (GCRA with a burst of one)."""

from __future__ import annotations

import msgspec

from shared.clock import SECOND

HORIZON = SECOND // 2
"""Turns are given so many ms ahead: long enough to bridge the schedule's next look, so that none is wasted."""


class Rate(msgspec.Struct, frozen=True):
    """``count`` messages in ``per`` ms at most, over all dispatchers together."""

    count: int
    per: int

    @property
    def interval(self) -> int:
        """The microseconds between two messages, rounded up."""
        return -(-self.per * 1000 // self.count)

    @property
    def ahead(self) -> int:
        """How many turns lie within the horizon; at least one."""
        return 1 + HORIZON * 1000 // self.interval


class Turn(msgspec.Struct, frozen=True):
    """``granted``: go in ``after`` ms; else ask again then."""

    granted: bool
    after: int


def turn(free_at: int, now: int, rate: Rate) -> tuple[Turn, int]:
    """Return the turn of who asks at ``now`` where the next one is free at ``free_at``, and what is free then.

    Both times are microseconds. No two turns are nearer than the interval, whoever gets them.
    """
    at = max(free_at, now)
    wait = -(-(at - now) // 1000)
    if wait > HORIZON:
        return Turn(False, wait - HORIZON), free_at
    return Turn(True, wait), at + rate.interval
