"""Triggers by date: birthdays, contracts, and whatever else a trait holds a day of."""

from __future__ import annotations

import msgspec
import pytest

from shared.clock import from_iso
from tests.builders import a_journey, a_record, an_event
from tests.oracle import judge
from tests.unit.evaluator.dated import dated, decided, entered, entries, shown, told

BIRTHDAY = "type: date, property: contact.birthday"
CONTRACT = "type: date, property: contact.ends, match: exact"
TOKYO = {"timezone": "Asia/Tokyo"}
WELCOME = """
schema: journey/v1
id: welcome
version: 1
trigger: {type: event, event: Signed Up}
policy: {purpose: transactional}
steps:
  - {id: note, update: {set: {renewal: "2026-06-01"}}}
"""
THREE_YEARS = """
schema: journey/v1
id: third_year
version: 1
trigger: {type: date, property: contact.birthday, at: "09:30"}
entry: {reentry: {mode: never}}
policy: {purpose: transactional}
steps:
  - {id: rest, wait: {for: P3Y}}
  - {id: tell, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}
"""


def test_a_birthday_comes_every_year_on_the_contacts_own_day() -> None:
    """With an offset of 0 on the local day itself, not the day before."""
    born = told("2026-01-01", birthday="1990-05-17", **TOKYO)
    assert ["2026-05-16T15:00", "2027-05-16T15:00"] == entered(BIRTHDAY, born, until="2028-01-01")


def test_match_exact_is_that_day_only() -> None:
    ends = told("2026-01-01", ends="2026-05-17")
    assert ["2026-05-17T00:00"] == entered(CONTRACT, ends, until="2029-01-01")


@pytest.mark.parametrize(("offset", "day"), [("-10d", "05-07"), ("0d", "05-17"), ("+3d", "05-20")])
def test_offset_counts_days_before_and_after(offset: str, day: str) -> None:
    born = told("2026-01-01", birthday="1990-05-17")
    assert [f"2026-{day}T00:00"] == entered(f"{BIRTHDAY}, offset: {offset}", born, until="2026-12-31")


def test_at_is_the_time_of_that_day() -> None:
    born = told("2026-01-01", birthday="1990-05-17", **TOKYO)
    assert ["2026-05-17T00:30"] == entered(f'{BIRTHDAY}, at: "09:30"', born, until="2026-12-31")


@pytest.mark.parametrize(
    ("timezone", "at"),
    [("contact", "2026-05-16T15:00"), ("workspace", "2026-05-17T00:00"), ("America/New_York", "2026-05-17T04:00")],
)
def test_timezone_says_whose_clock(timezone: str, at: str) -> None:
    born = told("2026-01-01", birthday="1990-05-17", **TOKYO)
    assert [at] == entered(f"{BIRTHDAY}, timezone: {timezone}", born, until="2026-12-31")


@pytest.mark.parametrize(
    ("feb29", "days"),
    [
        ("feb28", ["2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00"]),
        ("mar1", ["2026-03-01T00:00", "2027-03-01T00:00", "2028-02-29T00:00"]),
        ("skip", ["2028-02-29T00:00"]),
    ],
)
def test_feb29_says_when_a_leap_day_is_in_a_common_year(feb29: str, days: list[str]) -> None:
    born = told("2026-01-01", birthday="1992-02-29")
    assert days == entered(f"{BIRTHDAY}, feb29: {feb29}", born, until="2028-12-31")


# ---- an occurrence that is over when it becomes known -------------------------------------------------------------


def test_a_date_that_is_past_when_it_becomes_known_starts_nothing_by_itself() -> None:
    assert [] == entered(CONTRACT, told("2026-05-18T10:00", ends="2026-05-17"), until="2027-01-01")


def test_missed_send_within_makes_up_for_what_is_young_enough() -> None:
    trigger = CONTRACT + ", missed: {send_within: 2d}"
    assert ["2026-05-18T10:00"] == entered(trigger, told("2026-05-18T10:00", ends="2026-05-17"), until="2027-01-01")
    assert [] == entered(trigger, told("2026-05-19T00:01", ends="2026-05-17"), until="2027-01-01")


def test_missed_send_within_takes_the_last_of_several_and_the_next_year_comes_as_ever() -> None:
    trigger = BIRTHDAY + ", missed: {send_within: 800d}"
    verdict = decided(trigger, told("2026-05-18T10:00", birthday="1990-05-17"), until="2027-12-01")
    assert ["2026-05-17", "2027-05-17"] == [command.data["event"]["occurrence"] for command in verdict.commands]


def test_a_day_that_is_now_is_not_past() -> None:
    assert ["2026-05-17T00:00"] == entered(CONTRACT, told("2026-05-17T00:00", ends="2026-05-17"), until="2026-05-18")


def test_a_date_that_comes_late_is_known_when_it_comes() -> None:
    """It was told on the 16th and reached us on the 18th: the 17th is over."""
    late = msgspec.structs.replace(told("2026-05-16T22:00", ends="2026-05-17"), received_at=from_iso("2026-05-18"))
    assert [] == entered(CONTRACT, late, until="2026-12-31")


# ---- what changes -------------------------------------------------------------------------------------------------


def test_on_change_reschedule_moves_what_is_waited_for() -> None:
    events = told("2026-01-01", ends="2026-05-17"), told("2026-02-01", ends="2026-08-01")
    assert ["2026-08-01T00:00"] == entered(CONTRACT, *events, until="2027-01-01")


def test_on_change_ignore_keeps_what_is_waited_for() -> None:
    events = told("2026-01-01", birthday="1990-05-17"), told("2026-02-01", birthday="1990-08-01")
    days = entered(f"{BIRTHDAY}, on_change: ignore", *events, until="2027-12-31")
    assert ["2026-05-17T00:00", "2027-08-01T00:00"] == days


def test_a_date_that_goes_is_not_waited_for() -> None:
    events = told("2026-01-01", ends="2026-05-17"), told("2026-02-01", ends=None)
    assert [] == entered(CONTRACT, *events, until="2027-01-01")


def test_a_trait_that_holds_no_date_harms_nothing() -> None:
    assert [] == entered(CONTRACT, told("2026-01-01", ends="soon"), until="2027-01-01")


def test_a_birthday_that_is_told_again_or_changed_comes_once_a_year() -> None:
    events = (
        told("2026-01-01", birthday="1990-05-17"),
        told("2026-05-17T10:00", birthday="1990-05-17"),
        told("2026-05-18", birthday="1990-06-03"),
        told("2026-05-19", birthday="1990-05-17"),
        told("2026-05-20", birthday="1990-06-03"),
    )
    assert ["2026-05-17T00:00", "2027-06-03T00:00"] == entered(BIRTHDAY, *events, until="2027-12-31")


def test_an_exact_date_that_is_changed_back_and_forth_comes_once() -> None:
    trigger = CONTRACT + ", missed: {send_within: 30d}"
    events = (
        told("2026-01-01", ends="2026-05-17"),
        told("2026-05-18", ends="2026-05-20"),
        told("2026-05-21", ends="2026-05-17"),
        told("2026-05-22", ends="2026-05-20"),
    )
    assert ["2026-05-17T00:00", "2026-05-20T00:00"] == entered(trigger, *events, until="2027-01-01")


def test_the_same_day_in_other_words_is_the_same_occurrence() -> None:
    events = told("2026-01-01", birthday="1990-05-17"), told("2026-02-01", birthday="1990-05-17T00:00:00Z")
    assert ["2026-05-17T00:00"] == entered(BIRTHDAY, *events, until="2026-12-31")


def test_a_contact_that_moves_has_its_birthday_by_the_new_clock() -> None:
    events = told("2026-01-01", birthday="1990-05-17", **TOKYO), told("2026-03-01", timezone="America/New_York")
    assert ["2026-05-17T04:00"] == entered(BIRTHDAY, *events, until="2026-12-31")


def test_a_move_to_the_east_over_midnight_skips_nothing() -> None:
    """In New York it is the 16th, 20:00; in Tokyo the 17th has begun: the clock jumped over the time."""
    events = (
        told("2026-01-01", birthday="1990-05-17", timezone="America/New_York"),
        told("2026-05-17T00:00", timezone="Asia/Tokyo"),
    )
    assert ["2026-05-17T00:00", "2027-05-16T15:00"] == entered(BIRTHDAY, *events, until="2027-12-31")


def test_a_move_to_the_west_repeats_nothing() -> None:
    events = (
        told("2026-01-01", birthday="1990-05-17", **TOKYO),
        told("2026-05-16T20:00", timezone="America/New_York"),
    )
    assert ["2026-05-16T15:00", "2027-05-17T04:00"] == entered(BIRTHDAY, *events, until="2027-12-31")


def test_an_invalid_time_zone_means_the_workspaces_and_drops_nobody() -> None:
    born = told("2026-01-01", birthday="1990-05-17", timezone="Mars/Olympus")
    assert ["2026-05-17T00:00"] == entered(BIRTHDAY, born, until="2026-12-31")


# ---- the run ------------------------------------------------------------------------------------------------------


def test_trigger_occurrence_is_the_local_date_in_texts_and_conditions() -> None:
    trigger = BIRTHDAY + """, offset: -10d, where: "trigger.occurrence == '2026-05-17'\""""
    verdict = decided(trigger, told("2026-01-01", birthday="1990-05-17", **TOKYO), until="2028-01-01")
    assert [{"occurrence": "2026-05-17"}] == [command.data["event"] for command in verdict.commands]


def test_the_occurrence_is_the_cause_of_the_run() -> None:
    verdict = decided(BIRTHDAY, told("2026-01-01", birthday="1990-05-17"), until="2026-12-31")
    assert {"date:greeting/0:2026-05-17"} == {record.cause for record in verdict.journal}


def test_an_update_makes_a_date_known() -> None:
    welcome = a_journey(WELCOME)
    log = [a_record(0, told("2026-05-10T09:00")), a_record(1, an_event("Signed Up", from_iso("2026-05-10T10:00")))]
    renewal = dated("type: date, property: contact.renewal, match: exact")
    verdict = judge([welcome, renewal], log, until=from_iso("2026-06-02"))
    assert ["2026-05-10T10:00", "2026-06-01T00:00"] == entries(verdict)


def test_an_occurrence_that_lets_nobody_in_is_over_and_the_next_one_comes() -> None:
    events = told("2026-01-01", birthday="1990-05-17"), told("2026-06-01", member=True)
    trigger = BIRTHDAY + ", where: contact.member == true"
    verdict = decided(trigger, *events, until="2027-12-31")
    assert [("entered", "2027-05-17T00:00")] == [(it.decision, shown(it.at)) for it in verdict.journal[:1]]


def test_a_wait_of_three_years_fires_to_the_second() -> None:
    log = [a_record(0, told("2026-01-01", birthday="1990-05-17"))]
    verdict = judge([a_journey(THREE_YEARS)], log, until=from_iso("2029-05-17T09:30:01"))
    assert ["2029-05-17T09:30"] == [shown(command.decided_at) for command in verdict.commands]
