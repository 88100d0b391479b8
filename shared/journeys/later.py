"""Words that can be read already and are not carried out yet: a journey that uses one is refused.

A word leaves this list when the engine has learned it.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.journeys.model import (
    Journey,
    ThresholdTrigger,
)


def later_words(journey: Journey) -> Iterator[str]:
    """Yield the words of ``journey`` that this release cannot carry out."""
    if any(isinstance(trigger, ThresholdTrigger) and trigger.aggregate == "rate" for trigger in journey.triggers):
        yield "aggregate: rate"
