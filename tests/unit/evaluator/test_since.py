"""``wait_for.since``: what happened before the step was reached counts too."""

from __future__ import annotations

import pytest

from shared.journeys.faults import JourneyFaultsError
from shared.journeys.model import Journey
from tests.builders import an_event, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey, told

PAID = an_event("Paid", at("10:30"), total=50)


def waiting(since: str, *, where: str = "", first: str = "- {id: rest, wait: {for: 1h}}\n") -> Verdict:
    return happens(built(since, where=where, first=first), GO, PAID, until=at("12:00"))


def built(since: str, *, where: str = "", first: str = "- {id: rest, wait: {for: 1h}}\n") -> Journey:
    steps = (
        f"{first}- id: hear\n  wait_for:\n    since: {since}\n"
        f"    any: [{{id: paid, event: Paid, {where}then: [{{id: yes, exit: {{reason: heard}}}}]}}]\n"
        "    timeout: {after: 10m, then: [{id: no, exit: {reason: missed}}]}"
    )
    return journey(steps)


def ends(verdict: Verdict) -> list[tuple[str | None, int]]:
    return [(reason, when) for decision, reason, when in told(verdict) if decision == "exited"]


def test_by_default_only_what_happens_at_the_step_counts() -> None:
    assert [("missed", at("11:10"))] == ends(waiting("step"))


def test_since_entry_counts_what_happened_on_the_way_and_goes_on_at_once() -> None:
    assert [("heard", at("11:00"))] == ends(waiting("entry"))


def test_since_a_step_counts_from_when_that_was_last_entered() -> None:
    first = "- {id: one, wait: {for: 20m}}\n- {id: two, wait: {for: 40m}}\n"
    assert [("heard", at("11:00"))] == ends(waiting("two", first=first))
    later = "- {id: one, wait: {for: 40m}}\n- {id: two, wait: {for: 20m}}\n"
    assert [("missed", at("11:10"))] == ends(waiting("two", first=later))


def test_a_step_that_was_never_entered_is_as_the_step_itself() -> None:
    first = (
        "- {id: rest, wait: {for: 1h}}\n- id: way\n  branch:\n"
        "    - {if: contact.vip == true, then: [{id: aside, wait: {for: 1m}}]}\n"
    )
    assert [("missed", at("11:10"))] == ends(waiting("aside", first=first))


def test_where_is_asked_of_the_event_when_it_happens() -> None:
    assert [("heard", at("11:00"))] == ends(waiting("entry", where="where: event.properties.total > 10, "))
    assert [("missed", at("11:10"))] == ends(waiting("entry", where="where: event.properties.total > 100, "))


def test_what_led_to_the_entry_is_not_what_is_waited_for() -> None:
    first = an_event("Go", at("10:00"))
    steps = "- id: hear\n  wait_for: {since: entry, any: [{id: again, event: Go}], timeout: {after: 10m}}"
    assert [("completed", at("10:10"))] == ends(happens(journey(steps), first, until=at("12:00")))


def test_an_event_of_before_the_entry_does_not_count() -> None:
    early = an_event("Paid", at("09:59"))
    assert [("missed", at("11:10"))] == ends(happens(built("entry"), early, GO, until=at("12:00")))


def test_an_event_of_the_way_that_comes_late_is_met_when_it_comes() -> None:
    late = an_event("Paid", at("10:30"), received=at("11:05"))
    verdict = happens(built("entry"), GO, late, until=at("12:00"))
    assert [("heard", at("11:00"))] == ends(verdict), "from when the run came to its step"


def test_nothing_is_kept_that_no_step_asks_for() -> None:
    plain = happens(built("step"), GO, PAID, until=at("10:40"))
    asked = happens(built("entry"), GO, PAID, until=at("10:40"))
    assert ({}, {"Paid": (at("10:30"),)}) == (plain.states["u:c1"].history, asked.states["u:c1"].history)


def test_a_where_that_asks_the_run_is_refused_since_it_is_asked_before() -> None:
    with pytest.raises(JourneyFaultsError, match="`since` asks `where` of each event when it happens"):
        built("entry", where="where: event.properties.id == context.id, ")
