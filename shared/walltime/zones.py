"""Time zones by name, the wall clock in them and the moments it jumps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from shared.clock import DAY

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EARLIEST = (datetime(2, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
LATEST = (datetime(9990, 1, 1, tzinfo=UTC) - EPOCH) // MILLISECOND
"""Python's dates end with the year 9999; years of room are left, so that no calculation runs over the edge."""

_LONGEST_NAME = 60


def load_zone(name: object) -> ZoneInfo:
    """Return the zone of an IANA name such as ``Asia/Tokyo``. Raises ValueError for anything else."""
    if isinstance(name, str) and name in _names():
        return _load(name)
    text = str(name)[:_LONGEST_NAME]
    close = get_close_matches(text, _names(), n=1) if isinstance(name, str) else []
    hint = f"did you mean {close[0]}?" if close else "write an IANA name such as Asia/Tokyo"
    msg = f"{text!r} is not a time zone; {hint}"
    raise ValueError(msg)


def zone(name: object, fallback: ZoneInfo) -> tuple[ZoneInfo, bool]:
    """Return the zone of ``name`` and False, or ``fallback`` and True when there is none: whoever calls counts that.

    ``name`` may be whatever a trait holds. Only names on tzdata's own list are looked up, so that none is a path.
    """
    if isinstance(name, str) and name in _names():
        return _load(name), False
    return fallback, True


def local(at: int, where: ZoneInfo) -> datetime:
    """Return what clocks in ``where`` show at ``at``. Raises ValueError outside the years 2 to 9989."""
    if not EARLIEST <= at < LATEST:
        msg = f"{at} is not a time between the years 2 and 9989"
        raise ValueError(msg)
    return (EPOCH + timedelta(milliseconds=at)).astimezone(where)


def wall(at: int, where: ZoneInfo) -> datetime:
    """Return ``local`` without its zone: the mere face of the clock, for arithmetic on it."""
    return local(at, where).replace(tzinfo=None, fold=0)


def next_jump(after: int, until: int, where: ZoneInfo) -> int | None:
    """Return the first instant in ``(after, until]`` at which the clock has jumped, None when it runs evenly.

    Looks once a day: jumps that undo each other within a day would go unseen; in all of tzdata none are 6 days apart.
    """
    offset = local(after, where).utcoffset()
    low = high = after
    while high < until:
        low, high = high, min(high + DAY, until)
        if local(high, where).utcoffset() != offset:
            break
    else:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if local(middle, where).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


@cache
def _names() -> frozenset[str]:
    listed = (files("tzdata") / "zones").read_text(encoding="ascii").split()
    return frozenset(listed) - {"Factory"}  # tzdata's word for a zone that nobody has set


@cache  # never more than the names there are, about 600
def _load(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)
