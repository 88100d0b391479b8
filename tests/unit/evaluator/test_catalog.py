"""Which version of a journey takes entries, and what its predecessors go on doing."""

from __future__ import annotations

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived, TimerDue
from services.evaluator.core.state import ContactState
from shared.clock import HOUR, MINUTE
from tests.builders import CART, a_journey, an_event, at

FIRST = a_journey()
SECOND_TEXT = CART.replace("version: 1", "version: 2").replace("for: 45m", "for: 2h").replace("for: 24h", "for: 1h")
SECOND = a_journey(SECOND_TEXT)
TENTH = a_journey(CART.replace("version: 1", "version: 10"))
NEW = ContactState(contact="u:c1")


def entered(catalog: Catalog, when: int) -> Advance:
    return advance(catalog, NEW, EventArrived(an_event("Product Added", when), when))


def fired(catalog: Catalog, state: ContactState) -> Advance:
    [run] = state.runs
    timer = min(run.timers, key=lambda timer: timer.due)
    return advance(catalog, state, TimerDue(run.run_id, run.journey, timer))


def test_the_newest_version_takes_the_entries() -> None:
    """By number, and not by the text of it or the order of the files."""
    for journeys in ((FIRST, SECOND, TENTH), (TENTH, SECOND, FIRST)):
        [run] = entered(build_catalog(journeys), at("10:00")).state.runs
        assert 10 == run.version


def test_a_run_stays_on_its_version() -> None:
    state = entered(build_catalog([FIRST]), at("10:00")).state
    after = fired(build_catalog([FIRST, SECOND]), state).state
    [run] = after.runs
    assert (1, "pause_1", at("10:45", day=1)) == (run.version, run.step, after.next_due)


def test_a_run_of_a_version_that_is_gone_ends_at_its_next_timer() -> None:
    state = entered(build_catalog([FIRST]), at("10:00")).state
    result = fired(build_catalog([SECOND]), state)
    assert [("exited", "journey_stopped", 1)] == [(it.decision, it.reason, it.version) for it in result.journal]
    assert () == result.state.runs
    assert 2 == result.timers.cancelled


def test_both_versions_of_a_journey_are_one_place_to_be() -> None:
    """Whoever is inside the old one does not enter the new one."""
    state = entered(build_catalog([FIRST]), at("10:00")).state
    event = an_event("Product Added", at("10:05"))
    result = advance(build_catalog([FIRST, SECOND]), state, EventArrived(event, at("10:05")))
    assert ["already_inside"] == [record.reason for record in result.journal]


def test_an_exit_rule_of_the_old_version_still_ends_its_runs() -> None:
    second = a_journey(SECOND_TEXT.replace("  - {reason: converted, event: Order Completed}\n", ""))
    state = entered(build_catalog([FIRST]), at("10:00")).state
    event = an_event("Order Completed", at("10:05"))
    result = advance(build_catalog([FIRST, second]), state, EventArrived(event, at("10:05")))
    assert ["converted"] == [record.reason for record in result.journal]


def test_the_longest_span_that_any_version_asks_for_is_kept() -> None:
    longer = a_journey(SECOND_TEXT.replace("within: 60m", "within: 90m"))
    shorter = a_journey(SECOND_TEXT.replace("within: 60m", "within: 5m"))
    assert {"Order Completed": 90 * MINUTE} == build_catalog([FIRST, longer]).history
    assert {"Order Completed": HOUR} == build_catalog([FIRST, shorter]).history


def test_an_empty_catalogue_decides_nothing() -> None:
    result = entered(build_catalog([]), at("10:00"))
    assert ((), ()) == (result.journal, result.state.runs)


def test_a_plan_knows_what_follows_each_step() -> None:
    plan = build_catalog([FIRST]).plan("cart", 1)
    assert plan is not None
    assert "settle" == plan.first
    assert ("remind_1", None) == (plan.following["settle"], plan.following["end"])
    assert 7 * 24 * HOUR == plan.goal_window
    assert build_catalog([FIRST]).plan("cart", 2) is None
