"""The next time of a cron expression, by clocks in a zone.

Five fields, as in Debian's cron, and its two kinds of expressions. With a fixed minute and hour (``30 1 * * *``) each
time of the clock fires once: at the first of two, and when the clock springs over it at the first instant after, where
several skipped times are one. If minute or hour starts with a star (``*/15 * * * *``) it is a beat: it goes on evenly
through an hour that the clock shows twice, and a skipped hour has none. Fields mean what the package cronsim says
they mean, which is asked about clock faces only; zones are our own business, for it can answer with the past.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from shared.clock import SECOND
from shared.walltime.instants import resolve
from shared.walltime.zones import MILLISECOND, next_jump, wall

_LONGEST = 200
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 - a clock face
_SECOND = SECOND * MILLISECOND


def check_cron(expression: object) -> str:
    """Return ``expression`` if it is one, also one that never comes. Raises ValueError with the field that is wrong."""
    shown = repr(str(expression)[:_LONGEST])
    if not isinstance(expression, str) or len(expression) > _LONGEST or len(expression.split()) != 5:
        msg = f'{shown} is not a cron expression; write minute, hour, day, month and weekday, such as "0 9 * * MON"'
        raise ValueError(msg)
    minute, hour, day, month, weekday = expression.split()
    try:  # one by one: cronsim also refuses 30 February, which is well written and only never comes
        for fields in ((minute, hour, day, "*", weekday), ("*", "*", "*", month, "*")):
            CronSim(" ".join(fields), _SOME_DAY)
    except CronSimError as error:
        msg = f"{shown} is not a cron expression: {str(error).lower()}"
        raise ValueError(msg) from error
    return expression


def is_beat(expression: str) -> bool:
    """Tell whether ``expression`` goes on evenly, whatever the clock does; else each time of the clock comes once."""
    minute, hour = expression.split()[:2]
    return minute.startswith("*") or hour.startswith("*")


@lru_cache(maxsize=1024)
def next_cron(expression: str, after: int, where: ZoneInfo) -> int | None:
    """Return the first time of ``expression`` strictly after ``after``, None when none comes within 50 years.

    Remembers what it found: of all contacts that it is nine o'clock for at once, each asks the same.
    Raises ValueError as ``check_cron`` does.
    """
    if not _possible(expression):
        return None
    try:
        if is_beat(expression):
            return _next_beat(expression, after, where)
        return _next_fixed(expression, after, where)
    except (StopIteration, OverflowError):
        return None


def _next_fixed(expression: str, after: int, where: ZoneInfo) -> int:
    faces = CronSim(expression, wall(after, where))
    while True:
        at = resolve(next(faces), where)
        if at > after:  # it is not in the second of two equal hours
            return at


def _next_beat(expression: str, after: int, where: ZoneInfo) -> int:
    at = after
    while True:
        # Between two jumps of the clock, instants and the face of the clock differ by a constant.
        face = wall(at, where)
        found = at + (next(CronSim(expression, face)) - face) // MILLISECOND
        jump = next_jump(at, found, where)
        if jump is None:
            return found
        at = jump
        face = wall(at, where)
        if next(CronSim(expression, face - _SECOND)) == face:
            return at


@lru_cache(maxsize=1024)
def _possible(expression: str) -> bool:
    check_cron(expression)
    try:
        CronSim(expression, _SOME_DAY)
    except CronSimError:
        return False
    return True
