"""The lines that simulate prints."""

from __future__ import annotations

import pytest

from cli.simulator.decisions import in_zone
from tests.builders import at


@pytest.mark.parametrize(
    ("timezone", "shown"),
    [
        ("Asia/Tokyo", "2026-03-02T18:00:00+09:00"),
        ("America/New_York", "2026-03-02T04:00:00-05:00"),
        ("UTC", "2026-03-02T09:00:00+00:00"),
        (None, "2026-03-02T09:00:00+00:00"),
        ("Nowhere/None", "2026-03-02T09:00:00+00:00"),
        ("../../etc/passwd", "2026-03-02T09:00:00+00:00"),
        (["Asia/Tokyo"], "2026-03-02T09:00:00+00:00"),
    ],
)
def test_times_are_in_the_contacts_zone_else_in_utc(timezone: object, shown: str) -> None:
    assert shown == in_zone(at("09:00"), timezone)


def test_milliseconds_are_shown_when_there_are_some() -> None:
    assert "2026-03-02T09:00:00.007+00:00" == in_zone(at("09:00") + 7, None)


def test_a_time_past_all_calendars_is_a_number() -> None:
    assert f"{10**18} ms" == in_zone(10**18, "Asia/Tokyo")
