"""Triggers that wait for something not to happen."""

from __future__ import annotations

from shared.messages.event import Event
from tests.builders import a_journey, a_record, an_event, at, identified
from tests.oracle import Verdict, judge

STEPS = """
policy: {purpose: transactional}
steps:
  - {id: tell, send: {channels: [email], template: {email: {subject: "{{ event.properties.order_id }}", text: Hello}}}}
"""
CHECKOUT = (
    """
schema: journey/v1
id: checkout
version: 1
trigger:
  type: absence
  after: {event: Checkout Started}
  missing: {event: Order Completed}
  within: 30m
  match: [order_id]
entry: {key: event.properties.order_id}
"""
    + STEPS
)
WINBACK = (
    """
schema: journey/v1
id: winback
version: 1
trigger: {type: inactivity, events: [Logged In, Order Completed], for: 180d}
"""
    + STEPS
)


def run(*events: Event, until: int, journey: str) -> Verdict:
    known = identified(at("08:00"), email="a@example.jp")
    log = [a_record(number, event) for number, event in enumerate((known, *events))]
    return judge([a_journey(journey)], log, until=until)


def entered(verdict: Verdict) -> list[int]:
    return [record.at for record in verdict.journal if record.decision == "entered"]


def started(when: int, order: str) -> Event:
    return an_event("Checkout Started", when, order_id=order)


def completed(when: int, order: str, *, received: int | None = None) -> Event:
    return an_event("Order Completed", when, received=received, order_id=order)


def test_what_did_not_follow_in_time_starts_a_run_to_the_second() -> None:
    verdict = run(started(at("10:00"), "o1"), until=at("10:31"), journey=CHECKOUT)
    assert [at("10:30")] == entered(verdict)
    assert ["o1"] == [command.data["event"]["properties"]["order_id"] for command in verdict.commands]


def test_what_followed_in_time_starts_none() -> None:
    followed = completed(at("10:29:59"), "o1")
    assert [] == entered(run(started(at("10:00"), "o1"), followed, until=at("12:00"), journey=CHECKOUT))


def test_each_value_of_match_is_watched_for_itself() -> None:
    verdict = run(
        started(at("10:00"), "o1"),
        started(at("10:05"), "o2"),
        completed(at("10:10"), "o1"),
        until=at("12:00"),
        journey=CHECKOUT,
    )
    assert [at("10:35")] == entered(verdict)


def test_starting_again_starts_the_time_again() -> None:
    verdict = run(started(at("10:00"), "o1"), started(at("10:20"), "o1"), until=at("12:00"), journey=CHECKOUT)
    assert [at("10:50")] == entered(verdict)


def test_an_order_from_before_the_checkout_does_not_end_the_watch() -> None:
    late = completed(at("09:00"), "o1", received=at("10:10"))
    assert [at("10:30")] == entered(run(started(at("10:00"), "o1"), late, until=at("12:00"), journey=CHECKOUT))


def test_inactivity_is_counted_from_the_last_of_its_events() -> None:
    verdict = run(
        an_event("Logged In", at("10:00")),
        an_event("Order Completed", at("10:00", day=100)),
        an_event("Product Viewed", at("10:00", day=200)),
        until=at("10:01", day=400),
        journey=WINBACK,
    )
    assert [at("10:00", day=280)] == entered(verdict)


def test_inactivity_comes_again_after_a_new_event() -> None:
    verdict = run(
        an_event("Logged In", at("10:00")),
        an_event("Logged In", at("10:00", day=200)),
        until=at("10:01", day=400),
        journey=WINBACK,
    )
    assert [at("10:00", day=180), at("10:00", day=380)] == entered(verdict)


def test_without_any_of_its_events_inactivity_starts_at_first_sight_only_if_asked() -> None:
    seen = WINBACK.replace("for: 180d", "for: 180d, start: first_seen")
    assert [] == entered(run(until=at("10:00", day=400), journey=WINBACK))
    assert [at("08:00", day=180)] == entered(run(until=at("10:00", day=400), journey=seen))


def test_the_watches_of_a_contact_are_bounded() -> None:
    """Three hundred checkouts within the half hour: the oldest two hundred are watched."""
    checkouts = [started(at("10:00") + number, f"o{number}") for number in range(300)]
    verdict = run(*checkouts, until=at("10:29"), journey=CHECKOUT)
    assert 200 == len(verdict.states["u:c1"].watches)
    assert 200 == len(entered(run(*checkouts, until=at("12:00"), journey=CHECKOUT)))


def test_where_of_an_absence_is_asked_of_both_events() -> None:
    """A checkout of another shop starts no time, and an order there ends none."""
    ours = CHECKOUT.replace("within: 30m", "within: 30m\n  where: event.properties.shop == 'tokyo'")
    there = an_event("Checkout Started", at("10:00"), order_id="o1", shop="osaka")
    assert [] == entered(run(there, until=at("12:00"), journey=ours))
    here = an_event("Checkout Started", at("10:00"), order_id="o1", shop="tokyo")
    elsewhere = an_event("Order Completed", at("10:10"), order_id="o1", shop="osaka")
    assert [at("10:30")] == entered(run(here, elsewhere, until=at("12:00"), journey=ours))
    assert [] == entered(
        run(
            here, an_event("Order Completed", at("10:10"), order_id="o1", shop="tokyo"), until=at("12:00"), journey=ours
        )
    )


def test_where_of_an_inactivity_says_which_events_are_activity() -> None:
    ours = WINBACK.replace("for: 180d", "for: 180d, where: event.properties.app == 'web'")
    events = an_event("Logged In", at("10:00"), app="web"), an_event("Logged In", at("10:00", day=100), app="tv")
    assert [at("10:00", day=180)] == entered(run(*events, until=at("10:00", day=300), journey=ours))
