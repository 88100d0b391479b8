"""Which version of a journey takes entries, and what its predecessors go on doing."""

from __future__ import annotations

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import Catalog, build_catalog
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import EventArrived, TimerDue
from services.evaluator.core.slots import HistorySlot
from services.evaluator.core.state import ContactState
from shared.clock import HOUR, MINUTE
from shared.journeys.model import Branch
from shared.journeys.predicate import Expression
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
    for journeys, span in (([FIRST, longer], 90 * MINUTE), ([FIRST, shorter], HOUR)):
        slot = HistorySlot("Order Completed", None, span)
        assert {"Order Completed": (slot,)} == build_catalog(journeys).history


def test_what_is_asked_since_entry_is_kept_for_longer_than_a_run_lasts() -> None:
    since = a_journey(CART.replace("within: 60m", "since: entry"))
    [slot] = build_catalog([FIRST, since]).history["Order Completed"]
    assert 400 * 24 * HOUR == slot.span


def test_each_filter_of_one_event_has_a_slot_of_its_own() -> None:
    """Two conditions that ask the same share one."""
    dear = CART.replace("within: 60m", "within: 1d, where: event.properties.total > 100")
    same = dear.replace("version: 1", "version: 2").replace("within: 1d", "within: 2d")
    plain = CART.replace("version: 1", "version: 3")
    slots = build_catalog([a_journey(text) for text in (plain, dear, same)]).history["Order Completed"]
    where = Expression("event.properties.total > 100")
    assert [(None, HOUR), (where, 48 * HOUR)] == [(slot.where, slot.span) for slot in slots]
    assert 2 == len({slot.key for slot in slots})


def test_a_plan_goes_from_block_to_block_and_out_again() -> None:
    """Behind the last step of a block comes what follows the block; an empty block is passed by."""
    steps = """
  - id: way
    branch:
      - {if: contact.vip == true, then: [{id: inner, experiment: {salt: s, variants: [
          {id: a, weight: 1, then: [{id: deep, wait: {for: 1h}}]}, {id: b, weight: 1}]}}]}
      - {else: []}
  - {id: last, exit: {reason: done}}
"""
    journey = a_journey(CART[: CART.index("\n  - {id: settle")] + steps)
    plan = build_catalog([journey]).plan("cart", 1)
    assert plan is not None
    assert {"way": "last", "inner": "last", "deep": "last", "last": None} == plan.following
    way = plan.steps["way"]
    assert isinstance(way, Branch)
    assert ["inner", "last"] == [plan.into(way, case.then) for case in way.cases]


def test_the_longest_look_back_of_any_cap_is_kept() -> None:
    caps = "frequency_cap: [{max: 1, per: 1d}, {max: 3, per: 1w}], max_sends: 2"
    assert 7 * 24 * HOUR == build_catalog([a_journey(CART.replace("max_sends: 2", caps))]).cap_window
    assert 0 == build_catalog([FIRST]).cap_window


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
