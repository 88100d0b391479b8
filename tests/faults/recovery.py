"""How long partitions stood still, from the times at which their epochs were written. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec


class Saved(msgspec.Struct, frozen=True):
    """One epoch in the changelog: when it was written (ms), under which claim, and up to which offset."""

    at: int
    term: int
    next_offset: int
    log_time: int
    timers_fired: int


def recoveries(epochs: Sequence[Saved], faults: Iterable[int]) -> list[int]:
    """Return, for each change of this partition's owner that a fault caused, ms from the fault to the next epoch.

    ``faults`` are the times at which its owner was ended or stopped. One that is ended again before it has saved
    anything begins to recover anew.
    """
    struck = sorted(faults, reverse=True)
    found = []
    for before, after in pairwise(epochs):
        if after.term == before.term:
            continue
        # A kill may follow on the last epoch within the same millisecond.
        cause = next((at for at in struck if before.at <= at <= after.at), None)
        if cause is not None:
            found.append(after.at - cause)
    return found


def resumed(epochs: Sequence[Saved], since: Iterable[int]) -> list[int]:
    """Return, for each of the times ``since``, the ms until the next epoch."""
    found = (next((saved.at - at for saved in epochs if saved.at >= at), None) for at in since)
    return [ms for ms in found if ms is not None]


def stalls(epochs: Sequence[Saved], begin: int, end: int) -> list[int]:
    """Return the ms between epochs from ``begin`` to ``end``; under steady load, how long a partition stood still."""
    times = [saved.at for saved in epochs if begin <= saved.at <= end]
    return [after - before for before, after in pairwise(times)]


def percentile(values: Iterable[int], share: float) -> float:
    """Return the smallest of ``values`` that at least ``share`` of them do not pass; of none: 0."""
    ordered = sorted(values)
    if not ordered:
        return 0
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1))]
