"""Calendars: the days of occasions."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.journeys.calendars import Calendar, Occasion, parse_calendar
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import CalendarTrigger
from tests.unit.shared.journeys.literals import VALID

SHOP = """schema: calendar/v1
id: shop
version: 2
occasions:
  cyber_monday: [2027-11-29, 2026-11-30]
  golden_week:
    - {from: 2026-04-29, to: 2026-05-06}
    - 2027-05-03
"""


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as raised:
        parse_calendar("shop.yaml", text)
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in raised.value.faults]


def test_days_and_spans_of_days_in_their_order() -> None:
    assert Calendar(
        id="shop",
        version=2,
        occasions={
            "cyber_monday": (Occasion("2026-11-30", "2026-11-30"), Occasion("2027-11-29", "2027-11-29")),
            "golden_week": (Occasion("2026-04-29", "2026-05-06"), Occasion("2027-05-03", "2027-05-03")),
        },
    ) == parse_calendar("shop.yaml", SHOP)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema: calendar/v1\n", "", ["1:1: `schema` is missing"]),
        ("calendar/v1", "calendar/v2", ["1:1: unknown schema `calendar/v2`; did you mean `calendar/v1`?"]),
        ("version: 2", "version: 0", ["3:1: expected a whole number from 1 to 1000000"]),
        ("2026-11-30", "2026-11-31", ["5:30: `2026-11-31` is not a date; write one such as 2026-12-24"]),
        ("2026-11-30", "2027-11-29", ["5:3: occasion `cyber_monday` has a day twice"]),
        ("to: 2026-05-06", "to: 2026-04-01", ["7:26: 2026-04-01 is before 2026-04-29"]),
        ("to: 2026-05-06", "till: 2026-05-06", ["7:7: `to` is missing", "7:26: unknown key `till`; known: from, to"]),
        ("[2027-11-29, 2026-11-30]", "2026-11-30", ["5:3: expected a list, not `2026-11-30`"]),
    ],
)
def test_what_is_refused_and_where(old: str, new: str, expected: list[str]) -> None:
    assert expected == faults(SHOP.replace(old, new))


def test_a_journey_finds_its_calendar_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "shop.yaml").write_text(SHOP)
    trigger = "trigger: {type: calendar, calendar: shop, occasion: cyber_monday}"
    lines = [trigger if line.startswith("trigger:") else line for line in VALID.splitlines()]
    (tmp_path / "welcome.yaml").write_text("\n".join(lines))
    [journey] = load_definitions(tmp_path).journeys
    assert (
        CalendarTrigger(calendar="shop", occasion="cyber_monday", days=("2026-11-30", "2027-11-29")),
    ) == journey.triggers
