"""What an event that is not applied would have started, whatever the journeys' conditions say."""

from __future__ import annotations

from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.stay_out import triggered_journeys
from tests.builders import CART, a_journey

TWICE = """
schema: journey/v1
id: twice
version: 1
triggers:
  - {type: event, event: Product Added, where: event.properties.price > 10}
  - {type: event, event: Product Viewed}
policy: {purpose: transactional}
steps: [{id: end, exit: {reason: done}}]
"""


def started(event: str) -> list[str]:
    catalog = build_catalog([a_journey(CART), a_journey(TWICE)])
    return sorted(journey.id for journey in triggered_journeys(catalog, event))


def test_every_journey_that_waits_for_it_whatever_its_condition_says() -> None:
    assert ["cart", "twice"] == started("Product Added")
    assert ["twice"] == started("Product Viewed")


def test_an_event_that_only_ends_journeys_would_have_started_none() -> None:
    assert [] == started("Order Completed") == started("Nothing")
