"""Words that a journey may as well leave out: written down, each means what is so without it."""

from __future__ import annotations

import pytest

from shared.messages.event import Event
from tests.builders import a_journey, a_record, an_answer, an_event, at, identified
from tests.oracle import judge
from tests.unit.evaluator.dated import entered, told
from tests.unit.evaluator.playing import GO, decided, happens, journey, mailing, sends

INACTIVE = """
schema: journey/v1
id: quiet
version: 1
trigger: {type: inactivity, events: [Logged In], for: 30d, start: first_event}
policy: {purpose: transactional}
steps: [{id: tell, emit: {event: Told}}]
"""
INSIDE = """
- id: way
  branch: [{if: {in_journey: {id: other, state: active}}, then: [{id: inside, MAIL}]}]
"""


def test_on_fail_next_goes_on_behind_a_call_that_failed() -> None:
    trip = journey("- {id: ask, call: {connector: coupons.issue, on_fail: next}}\n- {id: mail, MAIL}")
    [call] = happens(trip, GO, until=at("10:00")).calls
    verdict = happens(trip, GO, an_answer(call, at("10:01"), error="refused"), until=at("10:02"))
    assert [("mail", at("10:01"))] == sends(verdict)


def test_on_fail_next_goes_on_behind_a_send_that_failed() -> None:
    texts = "template: {sms: {text: Hello}}"
    trip = journey(f"- {{id: text, send: {{channels: [sms], {texts}, on_fail: next}}}}\n- {{id: mail, MAIL}}")
    known = (identified(at("08:00"), email="a@example.jp"),)
    assert [("skip", "unreachable", at("10:00")), ("send", "mail", at("10:00"))] == decided(
        happens(trip, GO, until=at("10:01"), known=known)
    )


def test_missed_skip_lets_a_date_pass_that_is_over_when_it_becomes_known() -> None:
    trigger = "type: date, property: contact.ends, match: exact, missed: skip"
    assert [] == entered(trigger, told("2026-05-17T00:01", ends="2026-05-17"), until="2027-01-01")


def test_on_change_reschedule_waits_for_the_new_date() -> None:
    trigger = "type: date, property: contact.ends, match: exact, on_change: reschedule"
    changed = told("2026-01-01", ends="2026-05-17"), told("2026-02-01", ends="2026-08-01")
    assert ["2026-08-01T00:00"] == entered(trigger, *changed, until="2027-01-01")


@pytest.mark.parametrize(("ended", "expected"), [(False, ["inside"]), (True, [])])
def test_in_journey_state_active_is_no_longer_so_when_the_run_has_ended(ended: bool, expected: list[str]) -> None:
    other = journey(
        "- {id: rest, wait: {for: 9d}}", name="other", trigger="Come", more="exit: [{reason: left, event: Leave}]"
    )
    events = [an_event("Come", at("09:00")), *([an_event("Leave", at("09:30"))] if ended else []), GO]
    assert expected == [step for step, _ in sends(happens((journey(INSIDE), other), *events, until=at("10:01")))]


@pytest.mark.parametrize(
    ("events", "expected"), [((), []), ((an_event("Logged In", at("10:00")),), [at("10:00", day=30)])]
)
def test_inactivity_start_first_event_begins_with_the_first_of_its_events(
    events: tuple[Event, ...], expected: list[int]
) -> None:
    log = [a_record(number, it) for number, it in enumerate((identified(at("08:00"), email="a@example.jp"), *events))]
    verdict = judge([a_journey(INACTIVE)], log, until=at("00:00", day=90))
    assert expected == [record.at for record in verdict.journal if record.decision == "entered"]


def test_when_quiet_defer_puts_a_message_off_to_the_end_of_the_hours() -> None:
    quiet = "quiet_hours: {from: '09:00', to: '12:00', when_quiet: defer}"
    assert [("mail", at("12:00"))] == sends(happens(mailing(quiet), GO, until=at("13:00")))


def test_when_outside_defer_puts_a_message_off_to_the_opening_of_the_window() -> None:
    window = "send_window: {from: '12:00', to: '14:00', when_outside: defer}"
    assert [("mail", at("12:00"))] == sends(happens(mailing(window), GO, until=at("13:00")))


def test_past_continue_goes_on_at_once_behind_a_date_that_is_over() -> None:
    trip = journey("- {id: rest, wait: {until: {date: 2026-03-01}, past: continue}}\n- {id: mail, MAIL}")
    assert [("mail", at("10:00"))] == sends(happens(trip, GO, until=at("10:01")))
