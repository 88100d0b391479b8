"""The instant that a local time means, and the next time the clock shows one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from shared.walltime.zones import EPOCH, MILLISECOND, next_jump, wall

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
"""Weekdays are numbers as Python's are: Monday is 0."""

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_LONGEST_TEXT = 60


def parse_time(text: object) -> time:
    """Return the time of ``HH:MM`` or ``HH:MM:SS``. Raises ValueError with the form that is expected."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        shown = repr(str(text)[:_LONGEST_TEXT])
        msg = f'{shown} is not a time of day; write a quoted "HH:MM" or "HH:MM:SS", such as "09:30"'
        raise ValueError(msg)
    return time.fromisoformat(text)


def parse_days(names: Iterable[object]) -> frozenset[int]:
    """Return the weekdays of ``[mon, …]``, Monday being 0. Raises ValueError for an unknown day and for no day."""
    known = ", ".join(DAY_NAMES)
    if isinstance(names, str):
        msg = f"days are a list, such as [{names[:_LONGEST_TEXT]}]; known: {known}"
        raise ValueError(msg)  # noqa: TRY004 - a fault of the journey file, like the others
    days = set()
    for name in names:
        if name not in DAY_NAMES:
            msg = f"{str(name)[:_LONGEST_TEXT]!r} is not a day of the week; known: {known}"
            raise ValueError(msg)
        days.add(DAY_NAMES.index(str(name)))
    if not days:
        msg = f"no day is listed; leave `days` out for every day, or list some of {known}"
        raise ValueError(msg)
    return frozenset(days)


def resolve(moment: datetime, where: ZoneInfo) -> int:
    """Return the first instant at which clocks in ``where`` show ``moment``, or have jumped over it."""
    at = _instant(moment, where, fold=0)
    if wall(at, where) == moment.replace(tzinfo=None):
        return at
    # Nobody's clock shows it: read with the offset after the jump it lies before the jump, and the other way round.
    jump = next_jump(_instant(moment, where, fold=1), at, where)
    return at if jump is None else jump  # None: shown after all, but for microseconds


def at_local(day: date, clock: time, where: ZoneInfo) -> int:
    """Return the instant of ``clock`` on ``day``, as ``resolve`` does."""
    return resolve(datetime.combine(day, clock), where)


def next_time(
    now: int, clock: time, where: ZoneInfo, days: frozenset[int] | None = None, *, inclusive: bool = False
) -> int:
    """Return the next instant that is ``clock`` on one of ``days`` (None: any), and ``now`` itself if ``inclusive``.

    A time that a day skips counts as that day's even when the first valid instant is already the next day's.
    Raises ValueError when there is no day.
    """
    if days is None:
        days = EVERY_DAY
    if not days & EVERY_DAY:
        msg = "a next time needs a day of the week"
        raise ValueError(msg)
    today = wall(now, where).date()
    for ahead in count(-1):  # from yesterday: its time may have been skipped and be now
        day = today + timedelta(days=ahead)
        if day.weekday() in days:
            at = at_local(day, clock, where)
            if at > now or (inclusive and at == now):
                return at
    raise AssertionError  # count has no end


def _instant(moment: datetime, where: ZoneInfo, *, fold: int) -> int:
    return (moment.replace(tzinfo=where, fold=fold) - EPOCH) // MILLISECOND
