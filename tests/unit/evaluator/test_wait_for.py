"""wait_for: the first of several things, or the time. One rule each."""

from __future__ import annotations

import msgspec
import pytest

from tests.builders import an_event, at, identified
from tests.unit.evaluator.playing import GO, MARKETING, happens, journey, sends

HEAR = """
- id: hear
  wait_for:
    any:
      - {id: dear, event: Paid, where: event.properties.total > 100, then: [{id: thanks_a_lot, MAIL}]}
      - {id: paid, event: Paid, then: [{id: thanks, MAIL}]}
      - {id: vip, if: contact.vip == true, then: [{id: welcome, MAIL}]}
    timeout: {after: 2h, then: [{id: too_late, MAIL}]}
- {id: last, MAIL}
"""


@pytest.mark.parametrize(("total", "expected"), [(500, "thanks_a_lot"), (5, "thanks")])
def test_a_wait_for_goes_the_first_way_that_the_event_fits(total: int, expected: str) -> None:
    verdict = happens(journey(HEAR), GO, an_event("Paid", at("10:20"), total=total), until=at("15:00"))
    assert [(expected, at("10:20")), ("last", at("10:20"))] == sends(verdict)


def test_an_event_that_its_where_refuses_is_not_the_one() -> None:
    only = HEAR.replace("      - {id: paid, event: Paid, then: [{id: thanks, MAIL}]}\n", "")
    verdict = happens(journey(only), GO, an_event("Paid", at("10:20"), total=5), until=at("11:00"))
    assert [] == sends(verdict)


def test_the_timeout_goes_its_own_way_to_the_millisecond() -> None:
    """A record at that very time goes first."""
    silent = happens(journey(HEAR), GO, until=at("15:00"))
    assert [("too_late", at("12:00")), ("last", at("12:00"))] == sends(silent)
    in_time = happens(journey(HEAR), GO, an_event("Paid", at("12:00"), total=5), until=at("15:00"))
    assert [("thanks", at("12:00")), ("last", at("12:00"))] == sends(in_time)


def test_a_timeout_without_steps_and_without_one_at_all() -> None:
    behind = happens(
        journey("- {id: hear, wait_for: {any: [{id: a, event: Paid}], timeout: {after: 1h}}}\n- {id: last, MAIL}"),
        GO,
        until=at("15:00"),
    )
    assert [("last", at("11:00"))] == sends(behind)
    for_ever = happens(
        journey("- {id: hear, wait_for: {any: [{id: a, event: Paid}]}}\n- {id: last, MAIL}"),
        GO,
        an_event("Paid", at("10:00", day=900)),
        until=at("10:01", day=900),
    )
    assert [("last", at("10:00", day=900))] == sends(for_ever)


def test_a_condition_that_holds_already_is_no_wait() -> None:
    verdict = happens(journey(HEAR), identified(at("09:00"), vip=True), GO, until=at("15:00"))
    assert [("welcome", at("10:00")), ("last", at("10:00"))] == sends(verdict)


def test_a_condition_is_asked_at_each_event() -> None:
    verdict = happens(journey(HEAR), GO, identified(at("10:40"), vip=True), until=at("15:00"))
    assert [("welcome", at("10:40")), ("last", at("10:40"))] == sends(verdict)


def test_what_happened_before_the_step_and_comes_late_is_not_waited_for() -> None:
    late = an_event("Paid", at("09:50"), received=at("10:20"), total=5)
    verdict = happens(journey(HEAR), GO, late, until=at("15:00"))
    assert [("too_late", at("12:00")), ("last", at("12:00"))] == sends(verdict)


def test_a_condition_that_late_news_fulfil_lets_the_run_on_from_its_step_and_never_from_before() -> None:
    """The trait of 10:10 arrives at 10:40; the step was reached at 10:30."""
    steps = "- {id: pause, wait: {for: 30m}}\n" + HEAR.strip("\n")
    late = msgspec.structs.replace(identified(at("10:10"), vip=True), received_at=at("10:40"))
    verdict = happens(journey(steps), GO, late, until=at("15:00"))
    assert [("welcome", at("10:30")), ("last", at("10:30"))] == sends(verdict)


def test_one_event_moves_a_run_by_one_wait_for() -> None:
    """The second one waits for the next payment."""
    steps = """
        - {id: first, wait_for: {any: [{id: a, event: Paid}]}}
        - {id: second, wait_for: {any: [{id: b, event: Paid}]}}
        - {id: last, MAIL}
    """
    once, again = an_event("Paid", at("10:10")), an_event("Paid", at("10:20"))
    assert [] == sends(happens(journey(steps), GO, once, until=at("11:00")))
    assert [("last", at("10:20"))] == sends(happens(journey(steps), GO, once, again, until=at("11:00")))


def test_a_condition_on_the_time_is_asked_at_events_only() -> None:
    """Nothing happens at 10:15 by itself."""
    steps = """
        - {id: hear, wait_for: {any: [{id: hello, if: "now >= timestamp('2026-03-02T10:15:00Z')"}]}}
        - {id: last, MAIL}
    """
    verdict = happens(journey(steps), GO, an_event("Browsed", at("10:30")), until=at("11:00"))
    assert [("last", at("10:30"))] == sends(verdict)


def test_a_run_whose_consent_another_run_has_withdrawn_at_the_same_event_stays_ended() -> None:
    """Both wait for it; the first one to hear it unsubscribes."""
    first = journey(
        """
        - {id: hear, wait_for: {any: [{id: a, event: Paid}]}}
        - {id: leave, update: {unsubscribe: [news]}}
        """,
        name="a",
    )
    steps = "- {id: hear, wait_for: {any: [{id: a, event: Paid}]}}\n- {id: last, MAIL}"
    second = journey(steps, name="b", policy=MARKETING)
    verdict = happens((first, second), GO, an_event("Paid", at("10:10")), until=at("11:00"))
    assert [("b", "consent_revoked"), ("a", "completed")] == [
        (record.journey, record.reason) for record in verdict.journal if record.decision == "exited"
    ]
    assert () == verdict.states["u:c1"].runs
    assert [] == sends(verdict)
