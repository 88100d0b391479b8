"""Spans of the calendar, whose length depends on where they lie: ``P6M``, ``P1Y``, ``P2W``, ``P10D``, ``P1Y6M``."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from shared.walltime.instants import resolve
from shared.walltime.zones import wall

_SPAN = re.compile(r"P(?=[0-9])(?:([0-9]{1,6})Y)?(?:([0-9]{1,6})M)?(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?")
_LONGEST_TEXT = 60
_LONGEST_DAYS = 36_525
"""A hundred years, as for durations: more is a slip of the hand."""


@dataclass(frozen=True, slots=True)
class CalendarSpan:
    """Whole months, then whole days."""

    months: int
    days: int


def parse_span(text: object) -> CalendarSpan:
    """Return the span of ``text``. Raises ValueError with the form that is expected."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        shown = repr(str(text)[:_LONGEST_TEXT])
        msg = f"{shown} is not a calendar span; write P6M, P1Y, P2W, P10D or P1Y6M (hours and minutes: 24h, 45m)"
        raise ValueError(msg)
    years, months, weeks, days = (int(number or 0) for number in found.groups())
    span = CalendarSpan(12 * years + months, 7 * weeks + days)
    if span.months * 365.25 / 12 + span.days > _LONGEST_DAYS:
        msg = f"{str(text)[:_LONGEST_TEXT]!r} is longer than a hundred years"
        raise ValueError(msg)
    return span


def add_span(at: int, span: CalendarSpan, where: ZoneInfo, sign: Literal[1, -1] = 1) -> int:
    """Return the instant ``span`` after ``at``, or before it with sign -1, at the same local time in ``where``.

    A day that the month does not have is its last: 31 January and P1M is 28 or 29 February.
    Raises ValueError outside the years 2 to 9989.
    """
    if span == CalendarSpan(0, 0):
        return at  # also in the second of two equal hours
    face = wall(at, where)
    try:
        day = add_months(face.date(), sign * span.months) + timedelta(days=sign * span.days)
    except OverflowError as error:
        msg = "the calendar ends with the year 9999"
        raise ValueError(msg) from error
    return resolve(datetime.combine(day, face.time()), where)


def add_months(day: date, months: int) -> date:
    """Return ``day`` moved by ``months``, at most the last day of its month. Raises ValueError beyond the calendar."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1] if 1 <= year <= 9999 else day.day
    return date(year, month + 1, min(day.day, last))
