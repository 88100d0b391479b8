"""A birthday is a local day of the contact, once a year."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import from_iso, to_iso
from shared.walltime.anniversaries import Occurrence, next_occurrence, occurrence_of, read_date
from shared.walltime.instants import at_local
from shared.walltime.zones import EARLIEST, LATEST
from tests.unit.shared.walltime.literals import NEW_YORK, TOKYO, UTC_ZONE, clock_times, face, moments

Feb29 = Literal["feb28", "mar1", "skip"]
LEAP_DAY = date(1996, 2, 29)
NOON = time(12)


def birthdays(day: date, after: str, count: int, feb29: Feb29 = "feb28", offset: int = 0) -> list[str]:
    """Return the next occurrences in Tokyo at noon, as local days of action."""
    found, at = [], from_iso(after)
    for _ in range(count):
        occurrence = next_occurrence(day, at, TOKYO, offset_days=offset, at_time=NOON, match="anniversary", feb29=feb29)
        assert occurrence is not None
        at = occurrence.at
        found.append(face(at, TOKYO).date().isoformat())
    return found


@pytest.mark.parametrize(
    ("feb29", "expected"),
    [
        ("feb28", ["2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28"]),
        ("mar1", ["2026-03-01", "2027-03-01", "2028-02-29", "2029-03-01"]),
        ("skip", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
    ],
)
def test_a_birthday_on_29_february_in_a_common_year(feb29: Feb29, expected: list[str]) -> None:
    """Section 12: as `feb29` says."""
    assert expected == birthdays(LEAP_DAY, "2026-01-01", 4, feb29)


def test_a_skipped_leap_day_waits_eight_years_around_2100() -> None:
    assert ["2096-02-29", "2104-02-29"] == birthdays(LEAP_DAY, "2093-01-01", 2, "skip")
    assert ["2096-11-25"] == birthdays(LEAP_DAY, "2096-03-01", 1, "skip", offset=270)
    assert ["2104-02-29"] == birthdays(LEAP_DAY, "2096-03-01", 1, "skip")


@pytest.mark.parametrize("written", ["1990-05-17", "1990-05-17T00:00:00Z", 642_902_400, 642_902_400_000])
@pytest.mark.parametrize(("where", "hour"), [(NEW_YORK, "13"), (UTC_ZONE, "09"), (TOKYO, "00")])
def test_a_birthday_with_offset_0(written: object, where: ZoneInfo, hour: str) -> None:
    """Section 12: on the local day itself, not the day before, east or west of Greenwich."""
    day = read_date(written, where)
    assert date(1990, 5, 17) == day
    found = next_occurrence(day, from_iso("2026-05-01"), where, offset_days=0, at_time=time(9), match="anniversary")
    assert found is not None
    assert f"2026-05-17T{hour}:00:00.000Z" == to_iso(found.at)
    assert date(2026, 5, 17) == found.day


def test_an_occurrence_names_the_date_and_not_the_day_of_action() -> None:
    found = next_occurrence(
        date(1990, 1, 5), from_iso("2026-06-01"), TOKYO, offset_days=-10, at_time=NOON, match="anniversary"
    )
    assert Occurrence(from_iso("2026-12-26T12:00:00+09:00"), date(2027, 1, 5)) == found


def test_an_offset_may_be_longer_than_a_year() -> None:
    assert ["2026-05-17", "2027-05-17"] == birthdays(date(1990, 5, 27), "2026-01-01", 2, offset=-10)
    assert ["2026-01-17", "2027-01-17"] == birthdays(date(1990, 1, 1), "2026-01-10", 2, offset=16)
    for offset in (-36_525, -800, 800, 36_525):
        assert 1 == len({day[:4] for day in birthdays(date(1990, 5, 27), "2126-01-01", 1, offset=offset)} & {"2126"})


def test_a_date_is_no_anniversary_before_itself() -> None:
    assert ["2030-05-17"] == birthdays(date(2030, 5, 17), "2026-01-01", 1)


def test_a_date_property_already_past_has_no_next_occurrence() -> None:
    """Section 12: None, and `occurrence_of` says when it was, so that `past` and `missed` can decide."""
    end = date(2026, 3, 31)
    tenth = from_iso("2026-03-21T09:00:00+09:00")
    assert Occurrence(tenth, end) == occurrence_of(end, TOKYO, offset_days=-10, at_time=time(9))
    for after, expected in ((tenth - 1, Occurrence(tenth, end)), (tenth, None), (tenth + 1, None)):
        found = next_occurrence(end, after, TOKYO, offset_days=-10, at_time=time(9), match="exact")
        assert expected == found


@pytest.mark.parametrize("day", [date.min, date.max, date(1799, 12, 31), date(3000, 1, 1)])
def test_a_date_in_the_far_past_or_future_does_not_occur(day: date) -> None:
    for match in ("exact", "anniversary"):
        for after in (EARLIEST, 0, LATEST - 1):
            kind: Literal["exact", "anniversary"] = "exact" if match == "exact" else "anniversary"
            assert next_occurrence(day, after, TOKYO, offset_days=0, at_time=NOON, match=kind) is None
    with pytest.raises(ValueError, match="1800 and 2999"):
        occurrence_of(day, TOKYO, offset_days=0, at_time=NOON)


def test_anniversaries_end_with_the_calendar() -> None:
    for after in (EARLIEST, LATEST - 1, from_iso("2999-12-31")):
        found = next_occurrence(LEAP_DAY, after, TOKYO, offset_days=36_525, at_time=NOON, match="anniversary")
        assert found is None or found.at > after


def test_an_offset_of_centuries_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        occurrence_of(LEAP_DAY, TOKYO, offset_days=36_526, at_time=NOON)


@pytest.mark.parametrize(
    ("value", "where", "expected"),
    [
        ("1990-05-17", TOKYO, date(1990, 5, 17)),
        (" 1990-05-17 ", TOKYO, date(1990, 5, 17)),
        ("1990-05-17T23:30:00", NEW_YORK, date(1990, 5, 17)),
        ("1990-05-17T00:00:00+09:00", NEW_YORK, date(1990, 5, 17)),  # midnight by its own zone
        ("1990-05-16T15:00:00.000Z", TOKYO, date(1990, 5, 17)),  # what a browser in Tokyo makes of that day
        ("1990-05-17T01:00:00Z", NEW_YORK, date(1990, 5, 16)),
        (0, NEW_YORK, date(1970, 1, 1)),
        (-86_400, NEW_YORK, date(1969, 12, 31)),
        (1_772_416_500, TOKYO, date(2026, 3, 2)),
        (1_772_416_500_123, TOKYO, date(2026, 3, 2)),
        (1_772_416_500.5, TOKYO, date(2026, 3, 2)),
        (642_870_000, TOKYO, date(1990, 5, 17)),  # 15:00 UTC on the 16th
        ("1800-01-01", TOKYO, date(1800, 1, 1)),
        ("2999-12-31", TOKYO, date(2999, 12, 31)),
    ],
)
def test_a_date_is_read_from_a_trait(value: object, where: ZoneInfo, expected: date) -> None:
    assert expected == read_date(value, where)


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "17.05.1990", "1990/05/17", "1990-02-30", "1990-13-01", "0000-00-00", "1990-05", "642902400"),
        *("0001-01-01T00:00:00Z", "9999-12-31", "1799-12-31", "3000-01-01", "9" * 100_000, "\ud800", "１９９０-05-17"),
        *(None, True, False, [], {}, b"1990-05-17", float("nan"), float("inf"), 10**400, -(10**15), 1e300, 10**17),
    ],
)
def test_garbage_is_no_date(value: object) -> None:
    assert read_date(value, TOKYO) is None


@given(st.text() | st.integers() | st.floats() | st.none() | st.datetimes().map(str) | st.binary())
def test_no_trait_raises(value: object) -> None:
    found = read_date(value, NEW_YORK)
    assert found is None or 1799 <= found.year <= 3000


@settings(deadline=None)
@given(
    st.dates(date(1900, 1, 1), date(1974, 12, 31)) | st.just(date(1972, 2, 29)),
    moments(),
    st.integers(-500, 500),
    clock_times,
    st.sampled_from(["feb28", "mar1"]),
)
def test_an_anniversary_comes_once_a_year(
    day: date, case: tuple[int, ZoneInfo], offset: int, clock: time, feb29: Literal["feb28", "mar1"]
) -> None:
    at, where = case
    years = []
    for _ in range(6):
        found = next_occurrence(day, at, where, offset_days=offset, at_time=clock, match="anniversary", feb29=feb29)
        assert found is not None
        assert found.at > at
        assert at_local(found.day + timedelta(days=offset), clock, where) == found.at
        a_day = timedelta(days=1)
        assert (day.month, day.day) in {(found.day.month, found.day.day), (2, 29)}
        assert abs(found.day.replace(month=1, day=1) - found.day) - abs(day.replace(month=1, day=1) - day) <= a_day
        years.append(found.day.year)
        at = found.at
    assert list(range(years[0], years[0] + 6)) == years
    first_year = face(case[0], where).date() - timedelta(days=offset)
    assert years[0] - first_year.year in (0, 1)
