"""Who is let into a journey, in which order, and what those who are not are told."""

from __future__ import annotations

from typing import Any

from shared.messages.event import Event
from tests.builders import CART, a_journey, a_record, an_event, at
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


def test_of_several_journeys_the_higher_priority_enters_first() -> None:
    """At one priority the name decides: the order never depends on how files were read."""
    low = CART.replace("id: cart\n", "id: a_low\n").replace("entry:\n", "entry:\n  priority: 10\n")
    other = CART.replace("id: cart\n", "id: b_other\n")
    for journeys in ((low, other, CART), (CART, other, low)):
        verdict = run(added(at("10:00")), journeys=journeys, until=at("10:01"))
        assert ["b_other", "cart", "a_low"] == [record.journey for record in verdict.journal]
