"""Times are whole milliseconds since 1970 in UTC."""

from __future__ import annotations

import pytest

from shared.clock import DAY, HOUR, from_iso, monotonic_clock, scaled_clock, system_clock, to_iso
from tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01T09:00:00+09:00", 0),
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", 1000),
        ("2026-03-02T10:55:00.123456+09:00", 1_772_416_500_123),
    ],
)
def test_an_instant_is_read(text: str, at: int) -> None:
    """One without a zone is UTC, whatever zone the machine is in."""
    assert at == from_iso(text)


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "2026-02-30"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are Python's
        from_iso(text)


@pytest.mark.parametrize("at", [0, 1, 999, 1_772_416_500_123, 4_102_444_800_000])
def test_an_instant_is_written_as_it_is_read(at: int) -> None:
    assert at == from_iso(to_iso(at))


def test_milliseconds_are_always_written() -> None:
    """So that texts of one length sort as the times do."""
    assert "2026-03-02T01:55:00.000Z" == to_iso(from_iso("2026-03-02T10:55:00+09:00"))


def test_a_scaled_clock_starts_at_its_origin_and_runs_faster() -> None:
    machine = FakeClock(5_000)
    journey = scaled_clock(3600, origin=DAY, clock=machine)
    assert DAY == journey()
    machine.advance(seconds=2)
    assert DAY + 2 * HOUR == journey()


def test_the_clocks_of_the_machine_go_forward() -> None:
    for clock in (system_clock, monotonic_clock):
        assert clock() <= clock()
    assert system_clock() > from_iso("2024-01-01")
