"""Triggers by calendar and schedule, whom they let in, and the window in which a journey takes entries."""

from __future__ import annotations

import pytest

from shared.clock import from_iso
from tests.builders import a_record
from tests.oracle import judge
from tests.unit.evaluator.dated import dated, decided, entered, entries, told

MONDAY = "type: calendar, calendar: shop, occasion: cyber_monday"
GOLDEN = "type: calendar, calendar: shop, occasion: golden_week"
DAILY = 'type: schedule, cron: "0 9 * * *"'
TOKYO = {"timezone": "Asia/Tokyo"}
NEW_YORK = {"timezone": "America/New_York"}


# ---- calendar -----------------------------------------------------------------------------------------------------


def test_a_calendar_comes_at_each_day_of_the_occasion_by_the_contacts_clock() -> None:
    known = told("2026-01-01", **TOKYO)
    assert ["2026-11-29T15:00", "2027-11-28T15:00"] == entered(MONDAY, known, until="2030-01-01")


@pytest.mark.parametrize(("day", "at"), [("first", "2026-04-29T00:00"), ("last", "2026-05-06T00:00")])
def test_day_picks_the_first_or_the_last_of_a_span(day: str, at: str) -> None:
    assert [at] == entered(f"{GOLDEN}, day: {day}", told("2026-01-01"), until="2027-01-01")


def test_offset_and_at_of_a_calendar() -> None:
    trigger = GOLDEN + ', offset: -2d, at: "10:00", timezone: Asia/Tokyo'
    assert ["2026-04-27T01:00"] == entered(trigger, told("2026-01-01"), until="2027-01-01")


def test_a_contact_first_seen_after_the_day_waits_for_the_next() -> None:
    assert ["2027-11-29T00:00"] == entered(MONDAY, told("2026-11-30T00:01"), until="2027-12-31")


def test_trigger_occurrence_of_a_calendar_is_the_day_of_the_occasion() -> None:
    verdict = decided(f"{GOLDEN}, offset: -2d", told("2026-01-01"), until="2027-01-01")
    assert [{"occurrence": "2026-04-29"}] == [command.data["event"] for command in verdict.commands]
    assert {"calendar:greeting/0:2026-04-29"} == {record.cause for record in verdict.journal}


def test_a_move_neither_repeats_nor_skips_the_day_of_a_calendar() -> None:
    west = told("2026-01-01", **TOKYO), told("2026-11-29T20:00", **NEW_YORK)
    assert ["2026-11-29T15:00"] == entered(MONDAY, *west, until="2027-01-01")
    east = told("2026-01-01", **NEW_YORK), told("2026-11-30T00:00", **TOKYO)
    assert ["2026-11-30T00:00"] == entered(MONDAY, *east, until="2027-01-01")


# ---- schedule -----------------------------------------------------------------------------------------------------


def test_cron_comes_again_and_again_by_the_contacts_clock() -> None:
    times = entered(DAILY, told("2026-03-02T12:00", **TOKYO), until="2026-03-05T12:00")
    assert ["2026-03-03T00:00", "2026-03-04T00:00", "2026-03-05T00:00"] == times


@pytest.mark.parametrize(("timezone", "at"), [("workspace", "09:00"), ("Europe/Berlin", "08:00")])
def test_timezone_of_a_schedule(timezone: str, at: str) -> None:
    trigger = f"{DAILY}, timezone: {timezone}"
    assert [f"2026-03-03T{at}"] == entered(trigger, told("2026-03-02T12:00", **TOKYO), until="2026-03-04T00:00")


def test_trigger_occurrence_of_a_schedule_is_the_local_date() -> None:
    verdict = decided(DAILY, told("2026-03-02T12:00", **TOKYO), until="2026-03-03T12:00")
    assert [{"occurrence": "2026-03-03"}] == [command.data["event"] for command in verdict.commands]
    assert {"schedule:greeting/0:2026-03-03T09:00:00+09:00"} == {record.cause for record in verdict.journal}


def test_a_new_contact_gets_nothing_of_before_it_was_seen() -> None:
    """Also when its first event is an import that happened last month."""
    late = told("2026-02-01")
    log = [a_record(0, late, timestamp=from_iso("2026-03-02T12:00"))]
    verdict = judge([dated(DAILY)], log, until=from_iso("2026-03-03T12:00"))
    assert ["2026-03-03T09:00"] == entries(verdict)


def test_a_move_to_the_west_does_not_bring_the_same_morning_again() -> None:
    """At noon in Tokyo it is 22:00 of the day before in New York: its 9:00 of the 3rd has been, in Tokyo."""
    events = told("2026-03-02T12:00", **TOKYO), told("2026-03-03T03:00", **NEW_YORK)
    assert ["2026-03-03T00:00", "2026-03-04T14:00"] == entered(DAILY, *events, until="2026-03-05T00:00")


def test_a_move_to_the_east_does_not_skip_a_morning() -> None:
    """At 20:00 of the 2nd in New York it is 10:00 of the 3rd in Tokyo: 9:00 was jumped over."""
    events = told("2026-03-02T15:00", **NEW_YORK), told("2026-03-03T01:00", **TOKYO)
    assert ["2026-03-03T01:00", "2026-03-04T00:00"] == entered(DAILY, *events, until="2026-03-04T12:00")


def test_a_beat_goes_on_evenly_wherever_the_contact_moves() -> None:
    hourly = 'type: schedule, cron: "0 */1 * * *"'
    events = told("2026-03-02T12:30", **TOKYO), told("2026-03-02T13:30", **NEW_YORK)
    assert ["2026-03-02T13:00", "2026-03-02T14:00"] == entered(hourly, *events, until="2026-03-02T14:30")


def test_a_beat_through_an_hour_that_comes_twice_is_one_run_each() -> None:
    hourly = 'type: schedule, cron: "0 */1 * * *", timezone: Europe/Berlin'
    verdict = decided(hourly, told("2026-10-24T23:30"), until="2026-10-25T01:30")
    assert ["2026-10-25T00:00", "2026-10-25T01:00"] == entries(verdict)
    assert 2 == len({command.command_id for command in verdict.commands})


# ---- whom they let in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trigger", [MONDAY, 'type: schedule, cron: "0 0 30 11 *"'])
@pytest.mark.parametrize(("tier", "times"), [("gold", ["2026-11-30T00:00"]), ("none", [])])
def test_audience_is_asked_when_the_time_comes(trigger: str, tier: str, times: list[str]) -> None:
    events = told("2026-01-01", tier="unknown"), told("2026-11-29", tier=tier)
    verdict = decided(f"{trigger}, audience: vip", *events, until="2027-01-01")
    assert times == entries(verdict)
    assert len(times) == len([record for record in verdict.journal if record.decision in ("entered", "not_entered")])


def test_where_is_asked_when_the_time_comes() -> None:
    trigger = DAILY + ", where: contact.tier == 'gold'"
    events = told("2026-03-02T12:00"), told("2026-03-03T12:00", tier="gold")
    assert ["2026-03-04T09:00"] == entered(trigger, *events, until="2026-03-04T12:00")


def test_window_is_when_the_journey_takes_entries() -> None:
    verdict = decided(
        DAILY, told("2026-03-01"), entry='window: {start: "2026-03-02", end: "2026-03-04"}', until="2026-03-05"
    )
    assert ["2026-03-02T09:00", "2026-03-03T09:00"] == entries(verdict)
    refused = [record.reason for record in verdict.journal if record.decision == "not_entered"]
    assert ["outside_entry_window"] * 2 == refused


@pytest.mark.parametrize(
    ("window", "times"),
    [
        ('{start: "2026-03-02T09:00:00+00:00"}', ["2026-03-02T09:00", "2026-03-03T09:00"]),
        ('{end: "2026-03-02T09:00:00+00:00"}', ["2026-03-01T09:00"]),
    ],
)
def test_a_window_begins_with_its_start_and_stops_before_its_end(window: str, times: list[str]) -> None:
    assert times == entered(DAILY, told("2026-03-01"), entry=f"window: {window}", until="2026-03-04")
