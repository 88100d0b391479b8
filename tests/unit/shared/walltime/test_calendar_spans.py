"""Months and years are those of the calendar, and the time of day stays."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import DAY, from_iso, to_iso
from shared.walltime.calendar_spans import CalendarSpan, add_months, add_span, parse_span
from shared.walltime.instants import resolve
from shared.walltime.zones import EARLIEST, LATEST
from tests.unit.shared.walltime.literals import NEW_YORK, TOKYO, UTC_ZONE, face, moments


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("P6M", CalendarSpan(6, 0)),
        ("P1Y", CalendarSpan(12, 0)),
        ("P2W", CalendarSpan(0, 14)),
        ("P10D", CalendarSpan(0, 10)),
        ("P1Y6M", CalendarSpan(18, 0)),
        ("P1Y2M3W4D", CalendarSpan(14, 25)),
        ("P0D", CalendarSpan(0, 0)),
        ("P100Y", CalendarSpan(1200, 0)),
    ],
)
def test_a_span_is_read(text: str, span: CalendarSpan) -> None:
    assert span == parse_span(text)


@pytest.mark.parametrize(
    "text", ["", "P", "6M", "p6m", "PT5M", "P1DT2H", "P6M1Y", "-P6M", "P1.5Y", "P 6M", "P６M", "P6M\n", "6mo", None, 6]
)
def test_what_is_no_span_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a calendar span; write P6M"):
        parse_span(text)


@pytest.mark.parametrize("text", ["P101Y", "P1201M", "P36526D", "P999999W"])
def test_more_than_a_hundred_years_is_a_slip_of_the_hand(text: str) -> None:
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_span(text)


def test_a_wait_of_three_years_is_right_to_the_second() -> None:
    """Section 12: a wait of three years fires, to the second; the leap day in it and DST change nothing."""
    start = from_iso("2026-01-15T10:11:12.345-05:00")
    assert "2029-01-15T15:11:12.345Z" == to_iso(add_span(start, parse_span("P3Y"), NEW_YORK))
    assert 3 * 365 * DAY + DAY == add_span(start, parse_span("P3Y"), NEW_YORK) - start
    summer = from_iso("2026-07-15T10:11:12.345-04:00")
    assert "2030-01-15T15:11:12.345Z" == to_iso(add_span(summer, parse_span("P3Y6M"), NEW_YORK))


@pytest.mark.parametrize(
    ("start", "span", "sign", "expected"),
    [
        ("2026-01-31T12:00:00Z", "P1M", 1, "2026-02-28T12:00:00.000Z"),
        ("2028-01-31T12:00:00Z", "P1M", 1, "2028-02-29T12:00:00.000Z"),
        ("2026-03-31T12:00:00Z", "P1M", -1, "2026-02-28T12:00:00.000Z"),
        ("2028-02-29T12:00:00Z", "P1Y", 1, "2029-02-28T12:00:00.000Z"),
        ("2028-02-29T12:00:00Z", "P1Y", -1, "2027-02-28T12:00:00.000Z"),
        ("2026-12-31T12:00:00Z", "P2M", 1, "2027-02-28T12:00:00.000Z"),
        ("2026-01-15T12:00:00Z", "P1M", -1, "2025-12-15T12:00:00.000Z"),
        ("2026-08-31T12:00:00Z", "P6M1D", 1, "2027-03-01T12:00:00.000Z"),
        ("2026-03-02T12:00:00Z", "P2W", -1, "2026-02-16T12:00:00.000Z"),
    ],
)
def test_a_month_ends_with_its_last_day(start: str, span: str, sign: int, expected: str) -> None:
    assert expected == to_iso(add_span(from_iso(start), parse_span(span), UTC_ZONE, 1 if sign == 1 else -1))


def test_the_local_time_stays_across_dst() -> None:
    assert "2026-03-08T13:00:00.000Z" == to_iso(add_span(from_iso("2026-03-07T14:00:00Z"), parse_span("P1D"), NEW_YORK))
    assert "2026-03-08T07:00:00.000Z" == to_iso(add_span(from_iso("2026-03-07T07:30:00Z"), parse_span("P1D"), NEW_YORK))


def test_nothing_added_changes_nothing_in_the_second_of_two_equal_hours_either() -> None:
    second = from_iso("2026-11-01T06:30:00Z")
    assert second == add_span(second, parse_span("P0D"), NEW_YORK)


@pytest.mark.parametrize("span", ["P100Y", "P36525D"])
def test_the_end_of_the_calendar_is_refused(span: str) -> None:
    with pytest.raises(ValueError, match=r"year|calendar"):
        add_span(LATEST - 1, parse_span(span), TOKYO)
    with pytest.raises(ValueError, match=r"year|calendar"):
        add_span(EARLIEST, parse_span(span), TOKYO, -1)


@settings(deadline=None)
@given(moments(), st.integers(0, 600), st.integers(0, 3000), st.sampled_from([1, -1]))
def test_a_span_ends_on_its_day_at_its_time(case: tuple[int, ZoneInfo], months: int, days: int, sign: int) -> None:
    at, where = case
    span = CalendarSpan(months, days)
    end = add_span(at, span, where, 1 if sign == 1 else -1)
    if months or days:
        start = face(at, where)
        day = date.fromordinal(add_months(start.date(), sign * months).toordinal() + sign * days)
        assert resolve(start.replace(tzinfo=None, year=day.year, month=day.month, day=day.day), where) == end
    else:
        assert at == end


@given(st.dates(date(1000, 1, 1), date(3000, 1, 1)), st.integers(-2400, 2400))
def test_months_are_counted_one_by_one(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert months == 12 * (moved.year - day.year) + moved.month - day.month
    next_day = date.fromordinal(moved.toordinal() + 1)
    assert moved.day == day.day or (moved.day < day.day and next_day.day == 1)
