"""Triggers by threshold, inactivity and absence: what is read, and what is refused with which words."""

from __future__ import annotations

import msgspec
import pytest

from shared.clock import DAY, MINUTE
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.model import AbsenceTrigger, InactivityTrigger, ThresholdTrigger
from shared.journeys.parse import parse_journey
from shared.journeys.predicate import Expression, Reachable, Target

JOURNEY = """
schema: journey/v1
id: offer
version: 1
trigger: {TRIGGER}
policy: {purpose: transactional}
steps:
  - {id: rest, wait: {for: 1d}}
"""


def trigger(text: str) -> object:
    [found] = parse_journey("offer.yaml", JOURNEY.replace("TRIGGER", text)).triggers
    return found


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as raised:
        trigger(text)
    return [fault.message for fault in raised.value.faults]


def test_every_word_of_a_threshold() -> None:
    text = """type: threshold, aggregate: sum, event: Order Completed, field: event.properties.total, within: 30d,
      group_by: event.properties.shop, is: ">= 99.5", where: {reachable: [email]}"""
    assert trigger(text) == ThresholdTrigger(
        aggregate="sum",
        event="Order Completed",
        target=Target(">=", 99.5),
        field=Expression("event.properties.total"),
        within=30 * DAY,
        group_by=Expression("event.properties.shop"),
        where=Reachable(("email",)),
    )


def test_every_word_of_a_rate() -> None:
    text = 'type: threshold, aggregate: rate, event: Logged In, within: 7d, is: "< 0.5"'
    rate = ThresholdTrigger(
        aggregate="rate", event="Logged In", target=Target("<", 0.5), within=7 * DAY, baseline=28 * DAY
    )
    assert rate == trigger(text)
    assert msgspec.structs.replace(rate, baseline=60 * DAY) == trigger(f"{text}, baseline: 60d")


def test_every_word_of_inactivity() -> None:
    assert trigger("type: inactivity, events: [Logged In], for: 180d, start: first_seen") == InactivityTrigger(
        events=("Logged In",), duration=180 * DAY, start="first_seen"
    )


def test_every_word_of_absence() -> None:
    text = "type: absence, after: {event: Started}, missing: {event: Done}, within: 30m, match: [order_id]"
    assert trigger(text) == AbsenceTrigger(after="Started", missing="Done", within=30 * MINUTE, match=("order_id",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "type: treshold, event: X",
            ["unknown trigger type `treshold`; did you mean `threshold`?"],
        ),
        ("type: calendar, occasion: X", ["`calendar` is missing"]),
        ("type: calendar, calendar: shop, occasion: X", ["there is no file `calendars/shop.yaml`"]),
        ("type: threshold, aggregate: count", ["`event` is missing", "`is` is missing"]),
        (
            'type: threshold, aggregate: sum, event: X, is: "> 3"',
            ["`aggregate: sum` needs a `field`, such as event.properties.total"],
        ),
        (
            "type: threshold, aggregate: count, event: X, is: 3 or more",
            ['`3 or more` is no comparison with a number; write one in quotes such as ">= 3"'],
        ),
        (
            'type: threshold, aggregate: rate, event: X, is: "> 3"',
            ["`aggregate: rate` needs `within`, such as 7d"],
        ),
        (
            'type: threshold, aggregate: rate, event: X, within: 7d, baseline: 7d, is: "> 3"',
            ["`baseline` is longer than `within`"],
        ),
        (
            'type: threshold, aggregate: count, event: X, within: 7d, baseline: 28d, is: "> 3"',
            ["`baseline` belongs to `aggregate: rate`"],
        ),
        ("type: inactivity, events: [], for: 1d", ["expected at least one event"]),
        ("type: inactivity, events: [X], for: 0d", ["expected a duration longer than nothing"]),
        (
            "type: absence, after: {event: X}, missing: {event: X}, within: 1h",
            ["`missing` is the same event as `after`"],
        ),
        (
            "type: absence, after: X, missing: {event: Y}, within: 1h",
            ["expected a mapping (lines of `key: value`), not `X`"],
        ),
    ],
)
def test_a_fault_says_what_to_do(text: str, expected: list[str]) -> None:
    assert expected == faults(text)
