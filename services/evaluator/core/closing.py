"""When a condition changes although nothing happens: a window closes."""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice

from services.evaluator.core.conditions import Known
from services.evaluator.core.measures import changes, meets, value_of_samples, within
from services.evaluator.core.slots import history_key, measure_key
from shared.journeys.predicate import Aggregate, Condition, Performed
from shared.journeys.walk import parts_of


def next_change(condition: Condition, known: Known, now: int) -> int | None:
    """Return the first moment after ``now`` at which a part of ``condition`` changes by time alone; None: none does.

    Of what lies in a window each such moment is known; nothing needs to be asked before.
    """
    found: list[int] = []
    for part in parts_of(condition, events=False):
        match part:
            case Performed(within=int()):
                found += _forgotten(part, known, now)
            case Aggregate(within=int()):
                found += _fallen(part, known, now)
            case _:
                pass
    return min(found, default=None)


def _forgotten(asked: Performed, known: Known, now: int) -> list[int]:
    """Return when too few are left, if there are enough now."""
    span = asked.within or 0
    times = known.history.get(history_key(asked), ())
    counted = times[bisect_right(times, now - span) : bisect_right(times, now)]
    return [counted[-asked.count] + span] if len(counted) >= asked.count else []


def _fallen(asked: Aggregate, known: Known, now: int) -> list[int]:
    """Return when the answer becomes another one, if it does."""
    span = asked.within or 0
    counted = within(known.measures.get(measure_key(asked), ()), now, span)
    answer = meets(asked.target, value_of_samples(asked.fn, counted))
    changed = (at for at, value in changes(asked.fn, counted, span) if meets(asked.target, value) is not answer)
    return [*islice(changed, 1)]
