"""Whether a command can be trusted not to have been cancelled (ARCHITECTURE.md, invariant 7)."""

from __future__ import annotations

import msgspec

from shared.clock import SECOND

# Between the decision and its exit's cancel lies one pass of the evaluator: a p99 well under a second.
YOUNG = 2 * SECOND
# The evaluator marks every 500 ms: four missed in a row and we no longer know what it has decided.
MARK_AGE = 2 * SECOND
# The broker's, the evaluator's and our clock are three: docs/deploy.md asks for NTP. Further in the future is no age.
SKEW = 2 * SECOND


class CancelsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How far ``cancels`` of one partition is known: its newest mark and when it was last read to its end."""

    marked_at: int | None = None
    caught_up: bool = False
    end_read_at: int | None = None


def may_send(decided_at: int, now: int, seen: CancelsSeen) -> bool:
    """Return whether a command decided at ``decided_at`` may be sent at ``now``; all are machine times.

    What was decided within the last 2 s may. Anything older only when ``cancels`` was read to its end and the
    evaluator said less than 2 s ago that it has caught up, so that every exit up to then has been heard of.
    A time more than 2 s in the future says that two clocks disagree, and nothing of age.
    """
    if _within(now - decided_at, YOUNG):
        return True
    if seen.marked_at is None or seen.end_read_at is None or not seen.caught_up:
        return False
    return _within(now - seen.marked_at, MARK_AGE) and _within(now - seen.end_read_at, MARK_AGE)


def _within(age: int, limit: int) -> bool:
    return -SKEW <= age < limit
