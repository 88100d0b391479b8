"""Who is let into a journey, in which order, and what those who are not are told."""

from __future__ import annotations

from typing import Any

import pytest

from services.evaluator.core.exits import PASSAGES_AT_MOST
from shared.messages.event import Event
from tests.builders import CART, a_journey, a_record, an_event, at, consented, identified
from tests.oracle import Verdict, judge

KEYED = CART.replace("entry:\n", "entry:\n  key: event.properties.cart\n")


def run(*events: Event, journeys: tuple[str, ...] = (CART,), until: int = at("10:00", day=40)) -> Verdict:
    log = [a_record(number, event) for number, event in enumerate(events)]
    return judge([a_journey(text) for text in journeys], log, until=until)


def told(verdict: Verdict) -> list[tuple[str, str | None]]:
    return [(it.decision, it.reason) for it in verdict.journal if it.decision in ("entered", "not_entered")]


def added(when: int, **properties: Any) -> Event:
    return an_event("Product Added", when, **properties)


def test_a_trigger_as_old_as_may_be_still_enters() -> None:
    """``max_age: 30m`` allows thirty minutes and not a millisecond more."""
    in_time = an_event("Product Added", at("10:00"), received=at("10:30"))
    too_late = an_event("Product Added", at("10:00"), received=at("10:30") + 1)
    assert [("entered", None)] == told(run(in_time))
    assert [("not_entered", "too_old")] == told(run(too_late))


def test_the_first_reason_in_the_fixed_order_is_told() -> None:
    """Too old comes before already inside, and that before what the entry's condition says."""
    bought = an_event("Order Completed", at("09:59"))
    old = an_event("Product Added", at("10:05"), received=at("11:00"))
    no_exit = CART.replace("  - {reason: converted, event: Order Completed}\n", "")
    late = an_event("Order Completed", at("10:01"))
    verdict = run(added(at("10:00")), late, added(at("10:02")), old, journeys=(no_exit,))
    assert [("entered", None), ("not_entered", "already_inside"), ("not_entered", "too_old")] == told(verdict)
    assert [("not_entered", "filter_false")] == told(run(bought, added(at("10:00"))))


def test_one_run_for_each_value_of_the_key() -> None:
    verdict = run(
        added(at("10:00"), cart="a"),
        added(at("10:01"), cart="b"),
        added(at("10:02"), cart="a"),
        journeys=(KEYED,),
        until=at("10:03"),
    )
    assert [("entered", None), ("entered", None), ("not_entered", "already_inside")] == told(verdict)
    assert ["a", "b"] == [run.key for run in verdict.states["u:c1"].runs]
    assert 2 == len({run.run_id for run in verdict.states["u:c1"].runs})


def test_an_event_without_the_key_does_not_enter() -> None:
    """All carts without a number would otherwise be one cart."""
    assert [("not_entered", "filter_false")] == told(run(added(at("10:00")), journeys=(KEYED,)))


def test_the_cooldown_is_of_one_key_alone() -> None:
    verdict = run(
        added(at("10:00"), cart="a"),
        an_event("Order Completed", at("10:10")),
        added(at("11:20"), cart="a"),
        added(at("11:21"), cart="b"),
        journeys=(KEYED,),
    )
    assert [("entered", None), ("not_entered", "cooldown"), ("entered", None)] == told(verdict)


def test_never_again_is_never() -> None:
    once = CART.replace("reentry: {cooldown: 3d}", "reentry: {mode: never}")
    verdict = run(added(at("10:00")), added(at("10:00", day=30)), journeys=(once,))
    assert [("entered", None), ("not_entered", "cooldown")] == told(verdict)


def reentering(reentry: str, journey: str = KEYED) -> str:
    return journey.replace("reentry: {cooldown: 3d}", f"reentry: {{{reentry}}}").replace(
        "  where: {not: {performed: {event: Order Completed, within: 60m}}}\n", ""
    )


def carts(*names: str, journey: str) -> list[str]:
    """Return what becomes of carts that are filled, a day after one another, each bought after ten minutes."""
    events = [
        event
        for day, name in enumerate(names)
        for event in (added(at("10:00", day=day), cart=name), an_event("Order Completed", at("10:10", day=day)))
    ]
    return [
        reason or decision for decision, reason in told(run(*events, journeys=(journey,), until=at("0:00", day=90)))
    ]


def test_never_again_is_never_with_another_key_either() -> None:
    once = reentering("mode: never")
    assert ["entered", "cooldown"] == carts("a", "b", journey=once)
    inside = run(added(at("10:00"), cart="a"), added(at("10:01"), cart="b"), journeys=(once,), until=at("10:02"))
    assert [("entered", None), ("not_entered", "already_inside")] == told(inside)


def test_per_key_is_once_for_each_key() -> None:
    assert ["entered", "cooldown", "entered", "cooldown"] == carts(
        "a", "a", "b", "a", journey=reentering("mode: per_key")
    )


def test_always_is_as_often_as_it_is_triggered() -> None:
    always = reentering("mode: always", CART)
    verdict = run(added(at("10:00")), added(at("10:01")), journeys=(always,), until=at("10:02"))
    assert [("entered", None)] * 2 == told(verdict)
    assert 2 == len(verdict.states["u:c1"].runs)


def test_a_number_of_entries_counts_over_all_keys_and_rolls() -> None:
    """Two in any two days: the third day is exactly two days after the first."""
    assert ["entered", "entered", "entered"] == carts("a", "b", "c", journey=reentering("max: 2, per: 2d"))
    assert ["entered", "entered", "reentry_max", "entered"] == carts(
        "a", "b", "c", "d", journey=reentering("max: 2, per: 3d")
    )


def test_a_number_of_entries_without_a_time_is_for_ever() -> None:
    assert ["entered", "entered", "reentry_max", "reentry_max"] == carts(
        "a", "b", "c", "d", journey=reentering("max: 2")
    )


def test_only_entries_that_are_counted_are_kept() -> None:
    def kept(journey: str) -> dict[str, tuple[int, ...]]:
        events = [added(at("10:00"), cart="a"), added(at("11:00"), cart="b"), added(at("12:00"), cart="c")]
        return run(*events, journeys=(journey,), until=at("12:01")).states["u:c1"].entries

    assert {} == kept(reentering("mode: per_key"))
    assert {"cart": (at("11:00"), at("12:00"))} == kept(reentering("max: 2, per: 1h"))


def test_of_many_closed_keys_the_oldest_go_and_a_closed_journey_stays() -> None:
    once = reentering("mode: never", CART.replace("id: cart\n", "id: once\n").replace("Product Added", "Begun"))
    keyed = reentering("mode: per_key")
    events = [an_event("Begun", at("09:00")), an_event("Order Completed", at("09:01"))]
    for number in range(PASSAGES_AT_MOST + 1):
        events.append(added(at("10:00") + 10 * number, cart=str(number)))
        events.append(an_event("Order Completed", at("10:00") + 10 * number + 5))
    passages = run(*events, journeys=(once, keyed), until=at("11:00")).states["u:c1"].passages
    assert PASSAGES_AT_MOST == len(passages)
    assert ["once", "cart/2"] == list(passages)[:2]


def test_an_event_from_before_the_last_exit_does_not_enter_again() -> None:
    at_once = CART.replace("reentry: {cooldown: 3d}", "reentry: {cooldown: 0s}").replace(
        "  where: {not: {performed: {event: Order Completed, within: 60m}}}\n", ""
    )
    late = an_event("Product Added", at("10:05"), received=at("10:20"))
    verdict = run(added(at("10:00")), an_event("Order Completed", at("10:10")), late, journeys=(at_once,))
    assert [("entered", None), ("not_entered", "cooldown")] == told(verdict)


def test_ignore_keeps_the_context_of_the_entry() -> None:
    ignoring = CART.replace("on_retrigger: update_context", "on_retrigger: ignore")
    for journey, product in ((CART, "Teapot"), (ignoring, "Kettle")):
        verdict = run(
            added(at("10:00"), name="Kettle"),
            added(at("10:01"), name="Teapot"),
            journeys=(journey,),
            until=at("10:02"),
        )
        assert [{"product": product}] == [run.context for run in verdict.states["u:c1"].runs]


@pytest.mark.parametrize(
    ("on_retrigger", "left"), [("ignore", at("10:45")), ("update_context", at("10:45")), ("restart", at("11:05"))]
)
def test_a_retrigger_while_inside_leaves_one_run_and_one_schedule(on_retrigger: str, left: int) -> None:
    """Three triggers within twenty minutes: one reminder, 45 minutes after the one by which the run was entered."""
    journey = CART.replace("on_retrigger: update_context", f"on_retrigger: {on_retrigger}").replace(
        ", reset_by: [Product Added, Product Viewed]", ""
    )
    known = (identified(at("08:00"), email="a@example.jp"), consented(at("08:00"), "cart_reminders"))
    triggers = [added(at(clock)) for clock in ("10:00", "10:10", "10:20")]
    before = run(*known, *triggers, journeys=(journey,), until=at("10:21"))
    assert 1 == len(before.states["u:c1"].runs)
    ended = [record.reason for record in before.journal if record.decision == "exited"]
    assert (["restarted"] * 2 if on_retrigger == "restart" else []) == ended
    verdict = run(*known, *triggers, journeys=(journey,), until=at("11:30"))
    assert [left] == [record.at for record in verdict.journal if record.decision == "send"]


def test_of_several_journeys_the_higher_priority_enters_first() -> None:
    """At one priority the name decides: the order never depends on how files were read."""
    low = CART.replace("id: cart\n", "id: a_low\n").replace("entry:\n", "entry:\n  priority: 10\n")
    other = CART.replace("id: cart\n", "id: b_other\n")
    for journeys in ((low, other, CART), (CART, other, low)):
        verdict = run(added(at("10:00")), journeys=journeys, until=at("10:01"))
        assert ["b_other", "cart", "a_low"] == [record.journey for record in verdict.journal]
