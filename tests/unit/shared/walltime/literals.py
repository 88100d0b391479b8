"""Zones, instants and the strategies of the property tests: they look hardest at where clocks jump."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE, from_iso
from shared.walltime.zones import load_zone

TOKYO = load_zone("Asia/Tokyo")
NEW_YORK = load_zone("America/New_York")
LONDON = load_zone("Europe/London")
UTC_ZONE = load_zone("UTC")
NUUK = load_zone("America/Nuuk")
APIA = load_zone("Pacific/Apia")
NAMES = (
    "UTC",
    "Asia/Tokyo",
    "America/New_York",
    "Europe/London",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Havana",
    "Asia/Beirut",
    "America/Nuuk",
    "Africa/Casablanca",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Pacific/Kwajalein",
    "Asia/Gaza",
    "America/Scoresbysund",
    "Asia/Tehran",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
    "America/Caracas",
    "Asia/Pyongyang",
)
zones = st.sampled_from([load_zone(name) for name in NAMES])
FIRST, LAST = from_iso("1975-01-01"), from_iso("2090-01-01")
clock_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 0, 15, 30, 45, 59]))
day_sets = st.frozensets(st.integers(0, 6), min_size=1)


def face(at: int, where: ZoneInfo) -> datetime:
    """Return what the clock shows, by Python's own means; ``fold`` is 1 in the second of two equal hours."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(where)


def _jumps(where: ZoneInfo) -> list[int]:
    found = []
    for start in range(FIRST, LAST, 5 * DAY):
        low, high = start, start + 5 * DAY
        before = face(low, where).utcoffset()
        if before == face(high, where).utcoffset():
            continue
        while high - low > MINUTE:
            middle = (low + high) // 2 // MINUTE * MINUTE
            low, high = (middle, high) if before == face(middle, where).utcoffset() else (low, middle)
        found.append(high)
    return found


_JUMPS: dict[str, list[int]] = {}


@st.composite
def moments(draw: st.DrawFn) -> tuple[int, ZoneInfo]:
    """An instant, in half of the cases within 30 hours of a jump of the zone's clock, and the zone."""
    where = draw(zones)
    anywhere = draw(st.integers(FIRST, LAST))
    jumps = _JUMPS.setdefault(where.key, [])
    if not jumps:
        jumps.extend(_jumps(where) or [FIRST + 365 * DAY])
    if draw(st.booleans()):
        minutes = draw(st.integers(-30 * HOUR // MINUTE, 30 * HOUR // MINUTE))
        return draw(st.sampled_from(jumps)) + minutes * MINUTE, where
    return anywhere, where
