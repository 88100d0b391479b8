"""Words that can be read already and are not carried out yet: a journey that uses one is refused.

A word leaves this table when the engine has learned it.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.journeys.model import (
    ApiTrigger,
    Call,
    Collect,
    Enrol,
    Journey,
    JourneyTrigger,
    Notify,
    ThresholdTrigger,
    WaitFor,
    all_steps,
)
from shared.journeys.walk import conditions_of, parts_of

KINDS: dict[type, str] = {
    ApiTrigger: "type: api",
    JourneyTrigger: "type: journey",
    Call: "call",
    Notify: "notify",
    Enrol: "enrol",
    Collect: "collect",
}


def later_words(journey: Journey) -> Iterator[str]:
    """Yield the words of ``journey`` that this release cannot carry out."""
    conditions = (part for condition in conditions_of(journey) for part in parts_of(condition))
    for one in (*journey.triggers, *journey.exits, *all_steps(journey.steps), *conditions):
        if type(one) in KINDS:
            yield KINDS[type(one)]
        yield from _fields(one)


def _fields(one: object) -> Iterator[str]:
    match one:
        case ThresholdTrigger() if one.aggregate == "rate":
            yield "aggregate: rate"
        case WaitFor() if one.since != "step":
            yield "since"
        case _:
            pass
