"""Times as people write them."""

from __future__ import annotations

import pytest

from cli.simulator.times import format_offset, parse_time, parse_until
from shared.clock import DAY, HOUR, MINUTE, SECOND
from tests.builders import at

START = at("09:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+0m", 0),
        ("+44m59s", 44 * MINUTE + 59 * SECOND),
        ("+1h30m", 90 * MINUTE),
        ("+3d", 3 * DAY),
        ("-5m", -5 * MINUTE),
        ("2026-03-02T10:00:00Z", HOUR),
        ("2026-03-02T19:00:00+09:00", HOUR),
    ],
)
def test_offsets_and_instants(text: str, expected: int) -> None:
    assert START + expected == parse_time(text, START)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("45m", "`45m` is not a time"),
        ("+45", "`45` is not a duration"),
        ("+", "`` is not a duration"),
        ("2026-03-02T10:00:00", "has no zone"),
        ("2026-03-02", "has no zone"),
        ("9999-03-02T10:00:00Z", "is before 1970 or after 8999"),
        ("-99y", "is not a duration"),
        ("-100w" * 30, "is not a duration"),
        ("-3000w", "is before 1970"),
    ],
)
def test_what_is_no_time_is_refused_with_the_form_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        parse_time(text, START)


@pytest.mark.parametrize("text", ["30d", "+30d", "2026-04-01T09:00:00Z"])
def test_until_counts_from_the_last_event(text: str) -> None:
    assert START + 30 * DAY == parse_until(text, START)


@pytest.mark.parametrize(
    ("offset", "text"),
    [(0, "+0s"), (45 * MINUTE, "+45m"), (-MINUTE, "-1m"), (45 * MINUTE + 5, "+45m 5ms"), (7, "+7ms")],
)
def test_an_offset_reads_as_it_is_written(offset: int, text: str) -> None:
    assert text == format_offset(START + offset, START)
