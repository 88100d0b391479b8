"""Triggers by threshold: decided at the event that crosses."""

from __future__ import annotations

import pytest

from shared.messages.event import Event
from tests.builders import a_journey, a_record, an_event, at, identified
from tests.oracle import Verdict, judge

OFFER = """
schema: journey/v1
id: offer
version: 1
trigger: TRIGGER
entry: {reentry: {mode: always}}
policy: {purpose: transactional}
steps:
  - {id: tell, send: {channels: [email], template: {email: {subject: Offer, text: Hello}}}}
"""
VIEWS = """{type: threshold, aggregate: count, event: Product Viewed, within: 7d, is: ">= 3",
  group_by: event.properties.product_id}"""
SPEND = '{type: threshold, aggregate: sum, event: Order Completed, field: event.properties.total, is: ">= 100000"}'
BRANDS = """{type: threshold, aggregate: distinct, event: Product Viewed, within: 1d, is: "> 1",
  field: event.properties.brand}"""


def entered(trigger: str, *events: Event) -> list[int]:
    """Return when the contact entered."""
    known = identified(at("08:00"), email="a@example.jp")
    log = [a_record(number, event) for number, event in enumerate((known, *events))]
    verdict: Verdict = judge([a_journey(OFFER.replace("TRIGGER", trigger))], log)
    return [record.at for record in verdict.journal if record.decision == "entered"]


def viewed(when: int, product: str = "p1", brand: str | None = None) -> Event:
    return an_event("Product Viewed", when, message_id=f"{product}{brand}@{when}", product_id=product, brand=brand)


def bought(when: int, total: object) -> Event:
    return an_event("Order Completed", when, total=total)


def test_the_event_that_crosses_starts_the_run_and_those_behind_it_do_not() -> None:
    views = [viewed(at(f"10:0{minute}")) for minute in range(5)]
    assert [at("10:02")] == entered(VIEWS, *views)


def test_each_group_is_counted_for_itself() -> None:
    views = [viewed(at("10:00"), "p1"), viewed(at("10:01"), "p2"), viewed(at("10:02"), "p1"), viewed(at("10:03"), "p2")]
    assert [] == entered(VIEWS, *views)
    assert [at("10:04")] == entered(VIEWS, *views, viewed(at("10:04"), "p2"))


def test_what_is_older_than_within_no_longer_counts() -> None:
    """Exactly seven days old is out."""
    third = at("10:00", day=7)
    assert [] == entered(VIEWS, viewed(at("10:00")), viewed(at("10:01")), viewed(third))
    assert [third - 1] == entered(VIEWS, viewed(at("10:00")), viewed(at("10:01")), viewed(third - 1))


def test_after_falling_below_it_can_be_crossed_again() -> None:
    first = [viewed(at(f"10:0{minute}")) for minute in range(3)]
    again = [viewed(at(f"10:0{minute}", day=20)) for minute in range(3)]
    assert [at("10:02"), at("10:02", day=20)] == entered(VIEWS, *first, *again)


def test_a_sum_over_the_whole_life_crosses_once() -> None:
    orders = [bought(at("10:00", day=day), 40_000) for day in (0, 300, 600, 900)]
    assert [at("10:00", day=600)] == entered(SPEND, *orders)


@pytest.mark.parametrize("total", [None, "much", True, {"value": 1}])
def test_what_is_no_number_adds_nothing(total: object) -> None:
    assert [] == entered(SPEND, bought(at("10:00"), 99_999), bought(at("11:00"), total))


def test_different_values_are_counted_once_each() -> None:
    same = [viewed(at("10:00"), brand="x"), viewed(at("10:01"), brand="x")]
    assert [] == entered(BRANDS, *same)
    assert [at("10:02")] == entered(BRANDS, *same, viewed(at("10:02"), brand="y"))


def test_an_event_without_its_group_counts_nowhere() -> None:
    nowhere = [an_event("Product Viewed", at(f"10:0{minute}")) for minute in range(5)]
    assert [] == entered(VIEWS, *nowhere)


def test_where_of_a_threshold_says_which_events_count() -> None:
    yen = SPEND.replace("field:", "where: event.properties.currency == 'JPY', field:")
    orders = [
        an_event("Order Completed", at(f"10:0{n}"), total=60_000, currency=c)
        for n, c in enumerate(["JPY", "USD", "JPY"])
    ]
    assert [at("10:02")] == entered(yen, *orders)
