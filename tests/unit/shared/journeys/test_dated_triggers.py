"""Triggers by date, calendar and schedule, and what `entry` says of time: what is read, and what is refused."""

from __future__ import annotations

import pytest

from shared.clock import DAY, from_iso
from shared.journeys.calendars import parse_calendar
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.model import CalendarTrigger, DateTrigger, Journey, ScheduleTrigger, Window
from shared.journeys.parse import parse_journey
from shared.journeys.predicate import Expression
from shared.journeys.workspace import Surroundings, Workspace

SHOP = parse_calendar(
    "calendars/shop.yaml",
    """
schema: calendar/v1
id: shop
version: 1
occasions:
  cyber_monday: [2027-11-29, 2026-11-30]
  golden_week: [{from: 2026-04-29, to: 2026-05-06}]
""",
)
AROUND = Surroundings(
    audiences=frozenset({"vip"}), calendars={"shop": SHOP}, workspace=Workspace(timezone="Asia/Tokyo")
)
JOURNEY = """
schema: journey/v1
id: offer
version: 1
trigger: {TRIGGER}
entry: {ENTRY}
policy: {purpose: transactional}
steps:
  - {id: rest, wait: {for: 1d}}
"""
DAILY = 'type: schedule, cron: "0 9 * * *"'
WHERE = Expression("trigger.occurrence != ''")


def journey(trigger: str, entry: str = "") -> Journey:
    return parse_journey("offer.yaml", JOURNEY.replace("TRIGGER", trigger).replace("ENTRY", entry), AROUND)


def trigger(text: str) -> object:
    [found] = journey(text).triggers
    return found


def faults(text: str, entry: str = "") -> list[str]:
    with pytest.raises(JourneyFaultsError) as raised:
        journey(text, entry)
    return [fault.message for fault in raised.value.faults]


def test_every_word_of_a_date() -> None:
    text = """type: date, property: contact.birthday, match: anniversary, offset: -10d, at: "09:30",
      timezone: workspace, feb29: mar1, missed: {send_within: 2d}, on_change: ignore,
      where: "trigger.occurrence != ''\""""
    assert trigger(text) == DateTrigger(
        property="birthday",
        match="anniversary",
        offset_days=-10,
        at="09:30",
        timezone="workspace",
        feb29="mar1",
        send_within=2 * DAY,
        on_change="ignore",
        where=WHERE,
    )


def test_a_date_is_an_anniversary_at_midnight_by_the_contacts_clock_unless_told_otherwise() -> None:
    assert trigger("type: date, property: contact.birthday") == DateTrigger(property="birthday")
    assert trigger("type: date, property: contact.ends, match: exact, missed: skip") == DateTrigger(
        property="ends", match="exact"
    )


def test_every_word_of_a_calendar() -> None:
    text = """type: calendar, calendar: shop, occasion: golden_week, day: last, offset: +3d, at: "10:00",
      timezone: Europe/Berlin, audience: vip, where: "trigger.occurrence != ''\""""
    assert trigger(text) == CalendarTrigger(
        calendar="shop",
        occasion="golden_week",
        days=("2026-05-06",),
        offset_days=3,
        at="10:00",
        timezone="Europe/Berlin",
        audience="vip",
        where=WHERE,
    )


def test_an_occasion_has_its_days_in_their_order() -> None:
    assert trigger("type: calendar, calendar: shop, occasion: cyber_monday") == CalendarTrigger(
        calendar="shop", occasion="cyber_monday", days=("2026-11-30", "2027-11-29")
    )


def test_every_word_of_a_schedule() -> None:
    text = """type: schedule, cron: "0 9 * * MON", timezone: workspace, audience: vip,
      where: "trigger.occurrence != ''\""""
    assert trigger(text) == ScheduleTrigger(cron="0 9 * * MON", timezone="workspace", audience="vip", where=WHERE)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("{start: 2026-03-01}", Window(start=from_iso("2026-03-01T00:00:00+09:00"))),
        ('{end: "2026-04-01T12:00:00+09:00"}', Window(end=from_iso("2026-04-01T12:00:00+09:00"))),
        (
            "{start: 2026-03-01, end: 2026-04-01}",
            Window(start=from_iso("2026-03-01T00:00:00+09:00"), end=from_iso("2026-04-01T00:00:00+09:00")),
        ),
    ],
)
def test_a_window_has_dates_of_the_workspace_or_instants(window: str, expected: Window) -> None:
    assert expected == journey(DAILY, f"window: {window}").entry.window


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type: date", ["`property` is missing"]),
        ("type: date, property: birthday", ["`birthday` is not a trait; write contact.NAME, such as contact.birthday"]),
        (
            "type: date, property: contact.birthday, offset: ten",
            ["`ten` is not an offset; write days with a sign, such as -10d, 0d or +3d"],
        ),
        (
            "type: date, property: contact.birthday, match: exact, feb29: mar1",
            ["`feb29` belongs to `match: anniversary`"],
        ),
        ("type: date, property: contact.birthday, missed: {}", ["`send_within` is missing"]),
        (
            "type: date, property: contact.birthday, where: trigger.occurence != ''",
            ["`trigger` has no `occurence`; did you mean `occurrence`?"],
        ),
        ("type: calendar, calendar: shop", ["`occasion` is missing"]),
        (
            "type: calendar, calendar: shop, occasion: cyber_mondays",
            ["calendar `shop` has no occasion `cyber_mondays`; did you mean `cyber_monday`?"],
        ),
        ("type: schedule", ["`cron` is missing"]),
        (
            'type: schedule, cron: "9:00"',
            [
                "'9:00' is not a cron expression; write minute, hour, day, month and weekday, such as \"0 9 * * MON\"",
            ],
        ),
        ('type: schedule, cron: "0 9 30 2 *"', ["`0 9 30 2 *` never comes"]),
    ],
)
def test_what_is_refused(text: str, expected: list[str]) -> None:
    assert expected == faults(text)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("{}", ["`window` has at least one of start, end"]),
        ("{start: 2026-04-01, end: 2026-03-01}", ["the window ends before it starts"]),
        (
            "{start: tomorrow}",
            ["`tomorrow` is neither a date such as 2026-12-24 nor a time such as 2026-12-24T09:00:00+09:00"],
        ),
    ],
)
def test_a_window_that_is_refused(window: str, expected: list[str]) -> None:
    assert expected == faults(DAILY, f"window: {window}")


def test_backfill_is_none_or_current() -> None:
    members = "type: audience, audience: vip"
    assert ("none", "current") == (
        journey(members).entry.backfill,
        journey(members, "backfill: current").entry.backfill,
    )


@pytest.mark.parametrize("text", [DAILY, "type: audience, audience: vip, edge: left"])
def test_backfill_needs_an_audience_to_be_in(text: str) -> None:
    expected = "`backfill: current` needs a trigger of `type: audience` with `edge: entered`"
    assert [expected] == faults(text, "backfill: current")
