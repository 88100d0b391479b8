"""A message is sent only while the contact's own clock allows it."""

from __future__ import annotations

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE, from_iso, to_iso
from shared.ids import short_hash
from shared.walltime.instants import EVERY_DAY
from shared.walltime.windows import Window, closed_until, is_open, opening, spread
from tests.unit.shared.walltime.literals import (
    NEW_YORK,
    TOKYO,
    UTC_ZONE,
    clock_times,
    day_sets,
    face,
    moments,
)

NIGHT = Window("quiet", time(21), time(8))
OFFICE = Window("open", time(9), time(18), frozenset(range(5)))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-02T20:59:59.999+09:00", None),
        ("2026-03-02T21:00:00+09:00", "2026-03-02T23:00:00.000Z"),
        ("2026-03-02T23:59:59+09:00", "2026-03-02T23:00:00.000Z"),
        ("2026-03-03T00:00:00+09:00", "2026-03-02T23:00:00.000Z"),
        ("2026-03-03T07:59:59.999+09:00", "2026-03-02T23:00:00.000Z"),
        ("2026-03-03T08:00:00+09:00", None),
    ],
)
def test_quiet_hours_cross_midnight_and_their_end_is_open(now: str, until: str | None) -> None:
    found = closed_until(from_iso(now), NIGHT, TOKYO)
    assert until == (None if found is None else to_iso(found))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-06T17:59:59+09:00", None),
        ("2026-03-06T18:00:00+09:00", "2026-03-09T00:00:00.000Z"),  # Friday evening: Monday
        ("2026-03-07T12:00:00+09:00", "2026-03-09T00:00:00.000Z"),
        ("2026-03-09T08:59:59+09:00", "2026-03-09T00:00:00.000Z"),
        ("2026-03-09T09:00:00+09:00", None),
    ],
)
def test_a_send_window_opens_on_its_days_only(now: str, until: str | None) -> None:
    found = closed_until(from_iso(now), OFFICE, TOKYO)
    assert until == (None if found is None else to_iso(found))


def test_the_days_of_a_window_are_those_on_which_it_starts() -> None:
    late = Window("open", time(22), time(2), frozenset({4}))
    assert is_open(from_iso("2026-03-07T01:59:00Z"), late, UTC_ZONE)  # Saturday, of Friday's
    assert not is_open(from_iso("2026-03-06T01:59:00Z"), late, UTC_ZONE)


def test_a_window_of_whole_days() -> None:
    weekend = Window("quiet", time(), time(), frozenset({5, 6}))
    monday = from_iso("2026-03-09T00:00:00Z")
    assert monday == closed_until(monday - 2 * DAY, weekend, UTC_ZONE)
    assert monday == opening(monday - 1, weekend, UTC_ZONE)
    assert monday + DAY == opening(monday + DAY, weekend, UTC_ZONE)
    assert is_open(monday - 2 * DAY - 1, weekend, UTC_ZONE)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-03-08T04:00:00Z", "2026-03-08T12:00:00.000Z"),  # 08:00 is UTC-4
        (NIGHT, "2026-11-01T04:00:00Z", "2026-11-01T13:00:00.000Z"),  # 08:00 is UTC-5
        # the end is skipped: the first instant after the jump
        (Window("quiet", time(21), time(2, 30)), "2026-03-08T04:00:00Z", "2026-03-08T07:00:00.000Z"),
        # the end comes twice: open from the first, and closed once more when the clock goes back into quiet hours
        (Window("quiet", time(21), time(1, 30)), "2026-11-01T04:00:00Z", "2026-11-01T05:30:00.000Z"),
        (Window("quiet", time(21), time(1, 30)), "2026-11-01T06:00:00Z", "2026-11-01T06:30:00.000Z"),
        # the clock goes back out of them
        (Window("quiet", time(1, 40), time(8)), "2026-11-01T05:45:00Z", "2026-11-01T06:00:00.000Z"),
        # a send window that a day skips altogether
        (Window("open", time(2, 15), time(2, 45)), "2026-03-08T06:00:00Z", "2026-03-09T06:15:00.000Z"),
    ],
)
def test_windows_follow_the_clock_through_its_jumps(quiet: Window, now: str, until: str) -> None:
    found = closed_until(from_iso(now), quiet, NEW_YORK)
    assert found is not None
    assert until == to_iso(found)


def test_a_window_that_never_opens_is_refused() -> None:
    with pytest.raises(ValueError, match="quiet hours from 08:00 to 08:00 never end"):
        Window("quiet", time(8), time(8))
    with pytest.raises(ValueError, match="needs a day"):
        Window("open", time(8), time(9), frozenset())
    assert is_open(0, Window("open", time(8), time(8)), TOKYO)


def _quiet_by_minutes(window: Window) -> frozenset[tuple[int, int]]:
    """Return the (weekday, minute) pairs that a window covers, by walking through them."""
    start = window.start.hour * 60 + window.start.minute
    length = (window.end.hour * 60 + window.end.minute - start) % 1440 or 1440
    return frozenset(
        ((day + (start + minute) // 1440) % 7, (start + minute) % 1440)
        for day in window.days
        for minute in range(length)
    )


@settings(deadline=None, max_examples=300)
@given(moments(), st.sampled_from(["quiet", "open"]), clock_times, clock_times, st.just(EVERY_DAY) | day_sets)
def test_the_end_of_a_closure_is_open_and_nothing_before_it_is(
    case: tuple[int, ZoneInfo], kind: str, start: time, end: time, days: frozenset[int]
) -> None:
    now, where = case
    if kind == "quiet" and start == end and days == EVERY_DAY:
        return
    window = Window("quiet" if kind == "quiet" else "open", start, end, days)
    covered = _quiet_by_minutes(window)

    def allowed(at: int) -> bool:
        shown = face(at, where)
        return ((shown.weekday(), shown.hour * 60 + shown.minute) in covered) == (kind == "open")

    assert allowed(now) == is_open(now, window, where)
    until = closed_until(now, window, where)
    assert allowed(now) == (until is None)
    assert (now if until is None else until) == opening(now, window, where)
    if until is not None:
        assert now < until < now + 9 * DAY
        assert allowed(until)
        assert not allowed(until - 1)
        assert not any(allowed(minute) for minute in range(now, until, MINUTE))


def test_ten_thousand_sends_deferred_by_quiet_hours_are_spread() -> None:
    """Section 12: over the spread at the window's opening, not one burst."""
    opens = opening(from_iso("2026-03-02T23:00:00+09:00"), NIGHT, TOKYO)
    sent = [spread(opens, short_hash(f"u:{number}"), 30 * MINUTE) for number in range(10_000)]
    assert opens <= min(sent)
    assert max(sent) < opens + 30 * MINUTE
    by_minute = [sum((at - opens) // MINUTE == minute for at in sent) for minute in range(30)]
    assert 250 < min(by_minute)  # 333 each; four standard deviations are 72
    assert max(by_minute) < 416
    assert sent == [spread(opens, short_hash(f"u:{number}"), 30 * MINUTE) for number in range(10_000)]


def test_without_a_spread_sends_are_at_the_opening_exactly() -> None:
    """Section 12: without `spread`, at the opening exactly."""
    assert {5} == {spread(5, short_hash(f"u:{number}"), 0) for number in range(100)}


def test_hashes_of_one_partition_spread_as_evenly() -> None:
    """Those of one partition have one remainder, and a spread shares factors with the number of partitions."""
    sent = [spread(0, 60 * number + 7, 30 * MINUTE) for number in range(10_000)]
    assert 9_900 < len(set(sent))
    by_minute = [sum(at // MINUTE == minute for at in sent) for minute in range(30)]
    assert 250 < min(by_minute)
    assert max(by_minute) < 416


@given(st.integers(), st.integers(), st.integers(1, 10 * HOUR))
def test_a_spread_stays_within_itself(start: int, contact_hash: int, length: int) -> None:
    assert start <= spread(start, contact_hash, length) < start + length
