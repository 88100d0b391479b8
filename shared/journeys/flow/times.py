"""How long waits last at least and at most, with an hour for summer time.

A country that moves over the date line skips a day or has one twice; that is not foreseen.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from shared.clock import DAY, HOUR
from shared.journeys.model import Until
from shared.walltime.calendar_spans import add_months, parse_span

_FOUR_YEARS = 4 * 365 + 1
_WEEK = 7


@lru_cache(maxsize=256)
def span_length(span: str) -> tuple[int, int]:
    """Return how long the calendar ``span`` (``P1M``) lasts at least and at most, whichever day it begins on."""
    parsed = parse_span(span)
    first = date(2024, 1, 1)
    lengths = []
    for start in (first + timedelta(days=ahead) for ahead in range(_FOUR_YEARS)):
        end = add_months(start, parsed.months) + timedelta(days=parsed.days)
        lengths.append((end - start).days * DAY)
    return max(0, min(lengths) - HOUR), max(lengths) + HOUR if max(lengths) else 0


def until_longest(until: Until) -> int | None:
    """Return how long a wait until a local time lasts at most; None: as long as the date is away."""
    if until.date is not None or until.property is not None:
        return until.latest
    longest = _rarest(until.days) * DAY + HOUR
    return longest if until.latest is None else min(longest, until.latest)


def _rarest(days: tuple[int, ...]) -> int:
    """Return the most days from one of ``days`` to the next (none: each day is one)."""
    if not days:
        return 1
    turns = sorted(set(days))
    return max(later - earlier for earlier, later in zip(turns, (*turns[1:], turns[0] + _WEEK), strict=True))
