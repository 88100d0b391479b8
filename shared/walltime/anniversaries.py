"""Dates that a contact carries, such as a birthday or the end of a contract, and when they come round."""

from __future__ import annotations

from calendar import isleap
from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from shared.clock import SECOND
from shared.walltime.instants import at_local
from shared.walltime.zones import EPOCH, wall

_YEARS = range(1800, 3000)
"""A contact's date lies in these: 0001-01-01 and 9999-12-31 are what programs write for "none"."""
_MILLISECONDS_FROM = 10_000_000_000
"""A number this large is milliseconds: as seconds it is in 2286, as milliseconds in April 1970."""
_LONGEST_OFFSET = 36_525
_MIDNIGHT = time()
_YEARS_AHEAD = 13
"""The years from one leap day to the next, at most (2096 to 2104), and those by which the first guess is early."""


class Occurrence(NamedTuple):
    """When to act, and the local date that this is about: ``day`` is the date itself, before any offset."""

    at: int
    day: date


def read_date(value: object, where: ZoneInfo) -> date | None:
    """Return the date a trait holds, None when it holds none; never raises.

    An ISO date, or an ISO datetime without a zone, is the day that is written. An instant (an ISO datetime with a zone,
    or seconds or milliseconds since the epoch) that is midnight by its own zone is a day in disguise and that day
    everywhere, so that 1990-05-17T00:00:00Z is not the 16th in New York. Any other instant is the day in ``where``.
    """
    moment = _moment(value)
    if moment is None or moment.year not in _YEARS:
        return None
    if moment.tzinfo is not None and moment.time() != _MIDNIGHT:
        moment = moment.astimezone(where)
    return moment.date()


def anniversary(day: date, year: int, feb29: Literal["feb28", "mar1", "skip"]) -> date | None:
    """Return the anniversary of ``day`` in ``year``; None for 29 February in a common year if ``feb29`` skips it."""
    if (day.month, day.day) != (2, 29) or isleap(year):
        return day.replace(year=year)
    if feb29 == "skip":
        return None
    return date(year, 2, 28) if feb29 == "feb28" else date(year, 3, 1)


def occurrence_of(day: date, where: ZoneInfo, *, offset_days: int, at_time: time) -> Occurrence:
    """Return when to act for ``day`` itself, past or not: ``at_time`` of the local day ``offset_days`` after it.

    Raises ValueError for a day that ``read_date`` would not give, and for an offset of more than a hundred years.
    """
    if day.year not in _YEARS:
        msg = f"{day} is not between the years 1800 and 2999"
        raise ValueError(msg)
    if abs(offset_days) > _LONGEST_OFFSET:
        msg = f"an offset of {offset_days} days is longer than a hundred years"
        raise ValueError(msg)
    return Occurrence(at_local(day + timedelta(days=offset_days), at_time, where), day)


def next_occurrence(
    day: date,
    after: int,
    where: ZoneInfo,
    *,
    offset_days: int,
    at_time: time,
    match: Literal["anniversary", "exact"],
    feb29: Literal["feb28", "mar1", "skip"] = "feb28",
) -> Occurrence | None:
    """Return the first occurrence strictly after ``after``, None when there is none: the exact date is past.

    Anniversaries are those of month and day, from ``day`` itself on and never before it. Years are 1800 to 2999.
    """
    if day.year not in _YEARS:
        return None
    if match == "exact":
        only = occurrence_of(day, where, offset_days=offset_days, at_time=at_time)
        return only if only.at > after else None
    first = max(wall(after, where).year - offset_days // 365 - 2, day.year)
    for year in range(first, min(first + _YEARS_AHEAD, _YEARS.stop)):
        yearly = anniversary(day, year, feb29)
        if yearly is not None:
            found = occurrence_of(yearly, where, offset_days=offset_days, at_time=at_time)
            if found.at > after:
                return found
    return None


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return None
        milliseconds = value if abs(value) >= _MILLISECONDS_FROM else value * SECOND
        return EPOCH + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        return None
