"""Durations: what may be written, and that they are read back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.journeys.durations import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", 0),
        ("30s", 30 * SECOND),
        ("45m", 45 * MINUTE),
        ("24h", 24 * HOUR),
        ("3d", 3 * DAY),
        ("2w", 14 * DAY),
        ("1h30m", HOUR + 30 * MINUTE),
        ("44m59s", 44 * MINUTE + 59 * SECOND),
        ("090m", 90 * MINUTE),
        ("36500d", 36_500 * DAY),
    ],
)
def test_a_duration_is_numbers_with_units(text: str, expected: int) -> None:
    assert expected == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "45",
        "m",
        "45 m",
        "45min",
        "1.5h",
        "-5m",
        "+5m",
        "45M",
        "1mo",
        "P6M",
        "21:00",
        "45m ",
        "４５m",
        "1h30",
        "1_0m",
    ],
)
def test_anything_else_is_told_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a number and a unit, such as 45m, 24h, 3d or 2w"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36500d1s", "5300w", "999999999999w", "876001h"])
def test_more_than_a_hundred_years_is_a_slip_of_the_hand(text: str) -> None:
    """A due time must fit its eight bytes, whatever is written."""
    with pytest.raises(ValueError, match="is longer than a hundred years"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 5000 + "d", "9" * 13 + "s"])
def test_a_number_that_is_too_long_to_read_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, "0s"), (90 * MINUTE, "1h30m"), (14 * DAY, "2w"), (8 * DAY, "1w1d"), (HOUR + SECOND, "1h1s")],
)
def test_a_duration_is_written_in_its_largest_units(milliseconds: int, expected: str) -> None:
    assert expected == format_duration(milliseconds)


@given(st.integers(0, LONGEST // SECOND))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert seconds * SECOND == parse_duration(format_duration(seconds * SECOND))
