"""Cron expressions are read by the clock on the wall."""

from __future__ import annotations

from datetime import datetime, time
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE, from_iso, to_iso
from shared.walltime.cron import check_cron, next_cron
from shared.walltime.instants import next_time, resolve
from shared.walltime.zones import LATEST, load_zone
from tests.unit.shared.walltime.literals import NEW_YORK, TOKYO, UTC_ZONE, clock_times, day_sets, face, moments

LORD_HOWE = load_zone("Australia/Lord_Howe")
CRON_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def times(expression: str, after: str, count: int, where: ZoneInfo = NEW_YORK) -> list[str]:
    found: list[str] = []
    at = from_iso(after)
    for _ in range(count):
        later = next_cron(expression, at, where)
        assert later is not None
        assert later > at
        at = later
        found.append(to_iso(at).removesuffix(":00.000Z"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * MON", ["2026-03-09T00:00", "2026-03-16T00:00"]),
        ("0 9 1 * *", ["2026-04-01T00:00", "2026-05-01T00:00"]),
        ("0 9 L * *", ["2026-03-31T00:00", "2026-04-30T00:00"]),
        ("0 9 * * FRI#2", ["2026-03-13T00:00", "2026-04-10T00:00"]),
        ("*/30 9 * * *", ["2026-03-02T00:30", "2026-03-03T00:00"]),
    ],
)
def test_the_next_times(expression: str, expected: list[str]) -> None:
    assert expected == times(expression, "2026-03-02T09:00:00+09:00", 2, TOKYO)


@pytest.mark.parametrize("after", ["2026-11-01T04:00:00Z", "2026-11-01T05:29:59.999Z"])
def test_when_the_clock_falls_back_a_time_fires_once(after: str) -> None:
    """01:30 comes twice; a campaign at 01:30 does not."""
    assert ["2026-11-01T05:30", "2026-11-02T06:30"] == times("30 1 * * *", after, 2)


@pytest.mark.parametrize("after", ["2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"])
def test_a_question_in_the_second_hour_is_not_answered_with_the_first(after: str) -> None:
    assert ["2026-11-02T06:30"] == times("30 1 * * *", after, 1)


def test_when_the_clock_springs_forward_a_skipped_time_fires_at_the_first_instant_after() -> None:
    assert ["2026-03-08T07:00", "2026-03-09T06:30"] == times("30 2 * * *", "2026-03-08T05:00:00Z", 2)
    assert ["2026-03-08T07:00", "2026-03-09T06:15"] == times("15,30,45 2 * * *", "2026-03-08T05:00:00Z", 2)


def test_a_beat_goes_on_evenly() -> None:
    assert ["2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30", "2026-11-01T07:00"] == times(
        "*/30 * * * *", "2026-11-01T05:00:00Z", 4
    )
    assert ["2026-03-08T06:30", "2026-03-08T07:00"] == times("*/30 * * * *", "2026-03-08T06:00:00Z", 2)
    assert ["2026-03-09T06:00"] == times("*/30 2 * * *", "2026-03-08T05:00:00Z", 1)
    # half an hour is skipped at 02:00: 03:00 is UTC+11 then, and none of the hour is lost
    assert ["2026-10-03T16:00", "2026-10-03T16:10"] == times("*/10 3 * * *", "2026-10-03T14:00:00Z", 2, LORD_HOWE)


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "*/5 0 30 FEB *", "0 0 30-31 2 *"])
def test_an_expression_that_never_comes_is_none_and_soon(expression: str) -> None:
    started = perf_counter()
    assert expression == check_cron(expression)
    assert next_cron(expression, from_iso("2026-03-02"), NEW_YORK) is None
    assert perf_counter() - started < 1


@pytest.mark.parametrize("expression", ["* * * 2 MON#5", "0 0 * 2 MON#5", "*/5 0 29 2 */7"])
def test_an_expression_that_comes_in_decades_is_found_soon(expression: str) -> None:
    started = perf_counter()
    found = next_cron(expression, from_iso("2026-03-02"), NEW_YORK)
    assert found is not None
    assert (2, 29) == (face(found, NEW_YORK).month, face(found, NEW_YORK).day)
    assert perf_counter() - started < 2


def test_the_calendar_ends() -> None:
    assert next_cron("0 0 * 2 MON#5", LATEST - 1, UTC_ZONE) is None


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 9 * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 9 32 * *", "bad day-of-month"),
        ("0 9 * 13 *", "bad month"),
        ("0 9 * * 8", "bad day-of-week"),
        ("0 9 * *", "write minute, hour, day, month and weekday"),
        ("0 0 9 * * *", "write minute, hour, day, month and weekday"),
        ("@daily", "write minute, hour, day, month and weekday"),
        ("", "is not a cron expression"),
        (None, "is not a cron expression"),
        (5, "is not a cron expression"),
        ("0 9 * * " + "1," * 200 + "1", "is not a cron expression"),
    ],
)
def test_what_is_no_expression_is_refused(expression: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_cron(expression)


@settings(deadline=None, max_examples=500)
@given(
    st.lists(st.text("0123456789*/,-#LWMONFRIJAN²", min_size=1, max_size=6), min_size=4, max_size=6).map(" ".join)
    | st.text(max_size=20)
)
def test_whatever_is_written_is_refused_with_a_valueerror_or_answered(expression: str) -> None:
    try:
        check_cron(expression)
    except ValueError:
        with pytest.raises(ValueError, match="is not a cron expression"):
            next_cron(expression, 0, NEW_YORK)
    else:
        found = next_cron(expression, 0, NEW_YORK)
        assert found is None or found > 0


@settings(deadline=None, max_examples=200)
@given(moments(), clock_times, day_sets)
def test_a_fixed_time_is_what_next_time_says(case: tuple[int, ZoneInfo], clock: time, days: frozenset[int]) -> None:
    after, where = case
    weekdays = ",".join(CRON_DAYS[day] for day in sorted(days))
    expected = next_time(after, clock, where, days, inclusive=False)
    assert expected == next_cron(f"{clock.minute} {clock.hour} * * {weekdays}", after, where)


@settings(deadline=None, max_examples=200)
@given(moments(), st.sampled_from([5, 10, 15, 30]), st.integers(0, 23) | st.none())
def test_a_beat_is_every_minute_at_which_the_clock_matches(
    case: tuple[int, ZoneInfo], step: int, hour: int | None
) -> None:
    after, where = case
    found = next_cron(f"*/{step} {'*' if hour is None else hour} * * *", after, where)
    for minute in range((after // MINUTE + 1) * MINUTE, after + 3 * DAY, MINUTE):
        shown = face(minute, where)
        if shown.minute % step == 0 and (hour is None or shown.hour == hour) and shown.second == 0:
            assert minute == found
            return
    raise AssertionError


def test_a_time_is_resolved_as_everywhere() -> None:
    assert resolve(datetime.fromisoformat("2026-03-08T02:30"), NEW_YORK) == next_cron(
        "30 2 8 3 *", from_iso("2026-03-01"), NEW_YORK
    )
    assert HOUR == next_cron("0 1 1 1 *", 0, UTC_ZONE)
