"""What instant a local time is, and when it is next."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE, from_iso, to_iso
from shared.walltime.instants import DAY_NAMES, next_time, parse_days, parse_time, resolve
from tests.unit.shared.walltime.literals import (
    APIA,
    LONDON,
    NEW_YORK,
    NUUK,
    TOKYO,
    UTC_ZONE,
    clock_times,
    day_sets,
    face,
    moments,
)

MON, SAT, SUN = frozenset({0}), frozenset({5}), frozenset({6})


def test_wait_until_monday_0800_tokyo_asked_on_sunday_evening_utc() -> None:
    """Section 12: Monday 08:00 Tokyo, not Tuesday: in Tokyo it is Monday already, before or after eight."""
    before = from_iso("2026-03-01T20:00:00Z")  # Monday 05:00 in Tokyo
    assert "2026-03-01T23:00:00.000Z" == to_iso(next_time(before, time(8), TOKYO, MON))
    after = from_iso("2026-03-01T23:30:00Z")  # Monday 08:30 in Tokyo
    assert "2026-03-08T23:00:00.000Z" == to_iso(next_time(after, time(8), TOKYO, MON))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2026-03-07T15:00:00Z", "2026-03-08T13:00:00.000Z"),  # spring forward: 09:00 is now UTC-4
        ("2026-10-31T15:00:00Z", "2026-11-01T14:00:00.000Z"),  # fall back: 09:00 is now UTC-5
    ],
)
def test_wait_until_sunday_0900_new_york_across_the_dst_change(asked: str, expected: str) -> None:
    """Section 12: 09:00 local, not 10:00."""
    assert expected == to_iso(next_time(from_iso(asked), time(9), NEW_YORK, SUN))


@pytest.mark.parametrize(
    ("where", "moment", "expected"),
    [
        (NEW_YORK, datetime.fromisoformat("2026-03-08T02:30"), "2026-03-08T07:00:00.000Z"),
        (NEW_YORK, datetime.fromisoformat("2026-03-08T02:00"), "2026-03-08T07:00:00.000Z"),
        (NEW_YORK, datetime.fromisoformat("2026-03-08T01:59:59"), "2026-03-08T06:59:59.000Z"),
        (NEW_YORK, datetime.fromisoformat("2026-03-08T03:00"), "2026-03-08T07:00:00.000Z"),
        (LONDON, datetime.fromisoformat("2026-03-29T01:30"), "2026-03-29T01:00:00.000Z"),
        (NUUK, datetime.fromisoformat("2026-03-28T23:30"), "2026-03-29T01:00:00.000Z"),  # the next day's midnight
        (APIA, datetime.fromisoformat("2011-12-30T09:00"), "2011-12-30T10:00:00.000Z"),  # a day that Samoa never had
    ],
)
def test_a_wall_time_that_does_not_exist(where: ZoneInfo, moment: datetime, expected: str) -> None:
    """Section 12: the first valid instant after it."""
    assert expected == to_iso(resolve(moment, where))


@pytest.mark.parametrize(
    ("where", "moment", "expected"),
    [
        (NEW_YORK, datetime.fromisoformat("2026-11-01T01:30"), "2026-11-01T05:30:00.000Z"),
        (NEW_YORK, datetime.fromisoformat("2026-11-01T01:30").replace(fold=1), "2026-11-01T05:30:00.000Z"),
        (NEW_YORK, datetime.fromisoformat("2026-11-01T02:00"), "2026-11-01T07:00:00.000Z"),
        (LONDON, datetime.fromisoformat("2026-10-25T01:30"), "2026-10-25T00:30:00.000Z"),
    ],
)
def test_a_wall_time_that_exists_twice(where: ZoneInfo, moment: datetime, expected: str) -> None:
    """Section 12: the first of the two."""
    assert expected == to_iso(resolve(moment, where))


def test_milliseconds_are_kept_and_less_is_dropped() -> None:
    assert "2026-03-02T00:00:00.123Z" == to_iso(resolve(datetime.fromisoformat("2026-03-02T00:00:00.123999"), UTC_ZONE))


def test_a_time_that_is_now_is_next_only_if_inclusive() -> None:
    now = from_iso("2026-03-02T08:00:00+09:00")
    assert now == next_time(now, time(8), TOKYO, inclusive=True)
    assert now + DAY == next_time(now, time(8), TOKYO, inclusive=False)
    assert now + 7 * DAY == next_time(now, time(8), TOKYO, MON, inclusive=False)
    assert now + DAY == next_time(now + 1, time(8), TOKYO, inclusive=True)


def test_a_time_in_the_hour_that_comes_twice_is_met_once() -> None:
    first = from_iso("2026-11-01T05:30:00Z")
    assert first + 25 * HOUR == next_time(first, time(1, 30), NEW_YORK)
    assert first + 25 * HOUR == next_time(first + HOUR - MINUTE, time(1, 30), NEW_YORK, inclusive=True)


def test_a_skipped_time_belongs_to_its_own_day() -> None:
    """Saturday 23:30 does not exist in Nuuk on the last Saturday of March: it is Sunday's first instant, once."""
    sunday = from_iso("2026-03-29T01:00:00Z")
    assert sunday == next_time(sunday - HOUR, time(23, 30), NUUK, SAT)
    assert sunday == next_time(sunday, time(23, 30), NUUK, SAT, inclusive=True)
    assert sunday + 7 * DAY - 30 * MINUTE == next_time(sunday, time(23, 30), NUUK, SAT)


def test_a_skipped_day_is_the_first_instant_after_it() -> None:
    """Samoa went from Thursday to Saturday: what waits for Friday waits no longer, and comes once."""
    saturday, friday = from_iso("2011-12-30T10:00:00Z"), frozenset({4})
    assert saturday == next_time(saturday - DAY, time(), APIA, friday)
    assert saturday == next_time(saturday - DAY, time(15), APIA, friday)
    assert saturday + 6 * DAY == next_time(saturday, time(), APIA, friday)


def test_a_next_time_needs_a_day() -> None:
    with pytest.raises(ValueError, match="needs a day"):
        next_time(0, time(8), TOKYO, frozenset())


@settings(deadline=None, max_examples=300)
@given(moments(), clock_times, st.none() | day_sets, st.booleans())
def test_the_next_time_is_the_first_at_which_the_clock_shows_it(
    case: tuple[int, ZoneInfo], clock: time, days: frozenset[int] | None, inclusive: bool
) -> None:
    now, where = case
    found = next_time(now, clock, where, days, inclusive=inclusive)
    assert now < found or (inclusive and now == found)
    assert found < now + 16 * DAY
    shown, before = (face(at, where).replace(tzinfo=None) for at in (found, found - 1))
    here = [datetime.combine(before.date() + timedelta(days=ahead), clock) for ahead in range(3)]
    matched = [moment for moment in here if before < moment <= shown]  # shown, or jumped over just now
    assert any(days is None or moment.weekday() in days for moment in matched)
    assert 0 == face(found, where).fold
    for minute in range(-(-now // MINUTE) * MINUTE + (0 if inclusive else MINUTE * (now % MINUTE == 0)), found, MINUTE):
        earlier = face(minute, where)
        matches = earlier.time() == clock and (days is None or earlier.weekday() in days)
        assert not matches or earlier.fold == 1


@settings(deadline=None)
@given(moments())
def test_every_instant_is_what_its_clock_face_means(case: tuple[int, ZoneInfo]) -> None:
    """Save in the second of two equal hours, which means the first."""
    at, where = case
    shown = face(at, where)
    again = resolve(shown.replace(tzinfo=None), where)
    assert again < at if shown.fold else again == at


@pytest.mark.parametrize(
    ("text", "clock"),
    [("10:00", time(10)), ("00:00", time()), ("23:59:59", time(23, 59, 59)), ("08:05", time(8, 5))],
)
def test_a_time_of_day_is_read(text: str, clock: time) -> None:
    assert clock == parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["", "8:00", "24:00", "10:60", "10", "10:00:60", "10:00Z", "１０:００", " 10:00", "10:00\n", 600, None, 10.5],
)
def test_what_is_no_time_of_day_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r'is not a time of day; write a quoted "HH:MM"'):
        parse_time(text)


def test_days_are_read() -> None:
    assert frozenset({0, 6}) == parse_days(["mon", "sun"])
    assert frozenset(range(7)) == parse_days(DAY_NAMES)


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (["monday"], r"^'monday' is not a day of the week; known: mon, tue, wed, thu, fri, sat, sun$"),
        (["mon", None], "'None' is not a day"),
        ([["mon"]], "is not a day"),
        ([], "no day is listed"),
        ("mon", r"days are a list, such as \[mon\]"),
    ],
)
def test_what_are_no_days_is_refused(days: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_days(days)
