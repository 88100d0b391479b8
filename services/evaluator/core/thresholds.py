"""Triggers by threshold: an aggregate kept per trigger and group, decided at the event or at the moment that crosses.

A target may be met or missed because time passes: what lies in a window gets too old. So a watch stands at the next
moment at which the answer changes by itself, either way; nothing is polled. What was the answer before follows from
what is kept and from whether that watch has fired: there is no third thing that could disagree with the two.

The answer is that of the log time. At one millisecond the events go first, then what gets too old.
"""

from __future__ import annotations

from typing import Any

from services.evaluator.core.catalog import Plan, watched_key
from services.evaluator.core.conditions import value_of
from services.evaluator.core.draft import NO_EVENT, Draft
from services.evaluator.core.measures import (
    changes,
    meets,
    merged_samples,
    sample_value,
    value_of_samples,
    with_sample,
    within,
)
from services.evaluator.core.rates import merged_rated, rate_changes, rate_of, with_rated
from services.evaluator.core.slots import is_met_by_time, threshold_key
from services.evaluator.core.state import ContactState, Sample, Watch
from shared.journeys.model import ThresholdTrigger

GROUPS_AT_MOST = 200
"""Aggregates kept per trigger of one contact (products, topics); the one that was fed longest ago goes first."""
_WATCH = "threshold:"


def watches_threshold(key: str) -> bool:
    """Tell whether ``key`` is that of a watch for the moment at which a threshold's answer changes by itself."""
    return key.startswith(_WATCH)


def crosses(draft: Draft, plan: Plan, trigger: ThresholdTrigger) -> bool:
    """Take the event being applied into the aggregate; True when it meets the target now and did not before."""
    value = sample_value(_found(draft, trigger), distinct=trigger.aggregate == "distinct")
    group = "" if trigger.group_by is None else value_of(trigger.group_by, draft.scope())
    if value is None or group is None:
        return False
    key = f"{threshold_key(plan.journey.id, trigger)}/{group}"
    before = draft.samples.get(key, ())
    after = _with(before, Sample(draft.now, value), trigger, draft.log_time)
    was = _was(draft, key, before, trigger)
    _keep(draft, key, after, trigger)
    _arm(draft, plan, trigger, key, draft.event)
    return not was and _answer(trigger, after, draft.log_time)


def crosses_by_time(draft: Draft, watch: Watch) -> bool:
    """Watch for the next change; True when the one that ``watch`` stood for meets the target."""
    key = watch.key.removeprefix(_WATCH)
    found = draft.catalog.thresholds.get(watched_key(key))
    if found is None:
        return False
    plan, trigger = found
    samples = draft.samples.get(key, ())
    _arm(draft, plan, trigger, key, watch.event)
    return _answer(trigger, samples, draft.now) and not _answer(trigger, samples, draft.now - 1)


def adopt_thresholds(draft: Draft) -> None:
    """Forget what no trigger asks for any more, and watch for what is asked now. No entry: the catalogue has moved."""
    asked = draft.catalog.thresholds
    for name in [name for name in draft.watches if watches_threshold(name)]:
        if watched_key(name.removeprefix(_WATCH)) not in asked:
            draft.unwatch(name)
    if any(watched_key(key) not in asked for key in draft.samples):
        draft.samples = {key: kept for key, kept in draft.samples.items() if watched_key(key) in asked}
    for key in draft.samples:
        plan, trigger = asked[watched_key(key)]
        armed = draft.watches.get(_WATCH + key)
        _arm(draft, plan, trigger, key, NO_EVENT if armed is None else armed.event)


def merge_thresholds(draft: Draft, given: ContactState) -> list[Watch]:
    """Take what ``given`` has counted into the draft; return, as watches due now, what only both together meet."""
    crossed: list[Watch] = []
    for key, counted in given.samples.items():
        found = draft.catalog.thresholds.get(watched_key(key))
        if found is None:
            continue
        plan, trigger = found
        # Another partition's log may be ahead of this one; nothing here is from the future.
        theirs = tuple(Sample(min(sample.at, draft.log_time), sample.value) for sample in counted)
        mine = draft.samples.get(key, ())
        was = _was(draft, key, mine, trigger) or _answer(trigger, theirs, draft.log_time)
        together = _merged(mine, theirs, trigger)
        name = _WATCH + key
        known = [watches[name] for watches in (draft.watches, given.watches) if name in watches]
        event = max(known, key=lambda watch: watch.since).event if known else NO_EVENT
        _keep(draft, key, together, trigger)
        _arm(draft, plan, trigger, key, event)
        if not was and _answer(trigger, together, draft.log_time):
            crossed.append(Watch(name, plan.journey.id, draft.log_time, draft.log_time, event, f"{draft.cause}#{key}"))
    return crossed


def _found(draft: Draft, trigger: ThresholdTrigger) -> Any:
    if trigger.aggregate in ("count", "rate") or trigger.field is None:
        return 1
    return value_of(trigger.field, draft.scope())


def _with(samples: tuple[Sample, ...], new: Sample, trigger: ThresholdTrigger, now: int) -> tuple[Sample, ...]:
    if trigger.aggregate == "rate":
        return with_rated(samples, new.at, now - (trigger.baseline or 0))
    if trigger.within is not None:
        oldest = now - trigger.within
        return with_sample(samples, new, trigger.aggregate, oldest) if new.at > oldest else samples
    return _lifelong(with_sample(samples, new, trigger.aggregate, None), trigger)


def _merged(mine: tuple[Sample, ...], theirs: tuple[Sample, ...], trigger: ThresholdTrigger) -> tuple[Sample, ...]:
    if trigger.aggregate == "rate":
        return merged_rated(mine, theirs)
    return _lifelong(merged_samples(mine, theirs, trigger.aggregate), trigger)


def _lifelong(samples: tuple[Sample, ...], trigger: ThresholdTrigger) -> tuple[Sample, ...]:
    """Return one sample of all where nothing ever gets too old."""
    if trigger.within is not None or trigger.aggregate == "distinct":
        return samples
    return (Sample(samples[-1].at, sum(sample.value for sample in samples)),)


def _was(draft: Draft, key: str, samples: tuple[Sample, ...], trigger: ThresholdTrigger) -> bool:
    """Return the answer so far. One that changes at this very millisecond has not changed before its watch fires."""
    watch = draft.watches.get(_WATCH + key)
    untold = watch is not None and watch.due <= draft.log_time
    return _answer(trigger, samples, draft.log_time - 1 if untold else draft.log_time)


def _answer(trigger: ThresholdTrigger, samples: tuple[Sample, ...], now: int) -> bool:
    if trigger.aggregate == "rate":
        return meets(trigger.target, rate_of(samples, trigger.within or 0, trigger.baseline or 0)(now))
    return meets(trigger.target, value_of_samples(trigger.aggregate, within(samples, now, trigger.within)))


def _next_change(trigger: ThresholdTrigger, samples: tuple[Sample, ...], now: int) -> int | None:
    """Return when the answer becomes another one if nothing happens, if it does."""
    answer = _answer(trigger, samples, now)
    if trigger.within is None or not (answer or is_met_by_time(trigger)):
        return None
    if trigger.aggregate == "rate":
        values = rate_changes(samples, trigger.within, trigger.baseline or 0, now)
    else:
        values = changes(trigger.aggregate, within(samples, now, trigger.within), trigger.within)
    return next((at for at, value in values if meets(trigger.target, value) is not answer), None)


def _keep(draft: Draft, key: str, samples: tuple[Sample, ...], trigger: ThresholdTrigger) -> None:
    if trigger.group_by is None:
        draft.samples = {**draft.samples, key: samples}
        return
    kept = {name: known for name, known in draft.samples.items() if name != key}
    groups = [name for name in kept if watched_key(name) == watched_key(key)]
    for name in groups[: len(groups) + 1 - GROUPS_AT_MOST] if len(groups) >= GROUPS_AT_MOST else ():
        del kept[name]
        if _WATCH + name in draft.watches:
            draft.unwatch(_WATCH + name)
    draft.samples = {**kept, key: samples}


def _arm(draft: Draft, plan: Plan, trigger: ThresholdTrigger, key: str, event: dict[str, Any]) -> None:
    """Watch for the next moment at which the answer changes; ``event`` is the newest one, as templates see it."""
    name = _WATCH + key
    due = _next_change(trigger, draft.samples.get(key, ()), draft.log_time)
    armed = draft.watches.get(name)
    kept = event if is_met_by_time(trigger) else NO_EVENT
    if due is None and armed is not None:
        draft.unwatch(name)
    elif due is not None and (armed is None or (armed.due, armed.event) != (due, kept)):
        draft.watch(Watch(name, plan.journey.id, due, draft.now, kept))
