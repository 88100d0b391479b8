"""What an event that is not applied would have started."""

from __future__ import annotations

from collections.abc import Iterable

from services.evaluator.core.catalog import Catalog
from shared.journeys.model import Journey


def triggered_journeys(catalog: Catalog, event: str) -> Iterable[Journey]:
    """Return the journeys that the event of that name triggers, whatever their conditions say."""
    return {plan.journey.id: plan.journey for plan, _, _ in catalog.triggered_by.get(event, ())}.values()
