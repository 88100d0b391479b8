"""Triggers by threshold: an aggregate kept per trigger and group, decided at the event that crosses."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from services.evaluator.core.catalog import Plan
from services.evaluator.core.conditions import value_of
from services.evaluator.core.draft import Draft
from services.evaluator.core.state import Sample
from shared.ids import short_hash
from shared.journeys.model import ThresholdTrigger
from shared.journeys.predicate import Target

SAMPLES_AT_MOST = 1_000
"""Values kept of one aggregate; the oldest go first, so that more than this many never count."""
GROUPS_AT_MOST = 200
"""Aggregates kept of one contact (products, topics); the one that was fed longest ago goes first."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}


def crosses(draft: Draft, plan: Plan, number: int, trigger: ThresholdTrigger) -> bool:
    """Take the event being applied into the aggregate; True when it meets the target now and did not before."""
    value = _value(draft, trigger)
    if value is None:
        return False
    group = "" if trigger.group_by is None else value_of(trigger.group_by, draft.scope())
    if group is None:
        return False
    key = f"{plan.journey.id}/{number}/{group}"
    samples = draft.samples
    before = list(samples.get(key, ()))
    if trigger.within is not None:
        before = [sample for sample in before if sample.at > draft.now - trigger.within]
    after = _with(before, Sample(draft.now, value), trigger)
    others = {name: kept for name, kept in samples.items() if name != key}
    draft.samples = dict([*list(others.items())[-(GROUPS_AT_MOST - 1) :], (key, tuple(after))])
    return _meets(trigger.target, _total(after, trigger)) and not _meets(trigger.target, _total(before, trigger))


def _value(draft: Draft, trigger: ThresholdTrigger) -> float | None:
    if trigger.aggregate == "count" or trigger.field is None:
        return 1
    found = value_of(trigger.field, draft.scope())
    if trigger.aggregate == "distinct":
        return None if found is None else float(short_hash(str(found)) >> 10)  # as many bits as a double holds
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _with(samples: list[Sample], new: Sample, trigger: ThresholdTrigger) -> list[Sample]:
    if trigger.within is None and trigger.aggregate != "distinct":
        return [Sample(new.at, sum(sample.value for sample in samples) + new.value)]
    if trigger.aggregate == "distinct":
        samples = [sample for sample in samples if sample.value != new.value]
    return sorted([*samples, new], key=lambda sample: sample.at)[-SAMPLES_AT_MOST:]


def _total(samples: Sequence[Sample], trigger: ThresholdTrigger) -> float:
    if trigger.aggregate == "distinct":
        return len(samples)
    return sum(sample.value for sample in samples)


def _meets(target: Target, total: float) -> bool:
    return _OPERATORS[target.operator](total, target.number)
