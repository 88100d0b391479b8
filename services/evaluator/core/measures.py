"""Arithmetic over samples of one contact: what a function of those in a window comes to, and when time changes it."""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from heapq import nsmallest
from typing import Any, Literal

from services.evaluator.core.state import Sample, Total
from shared.ids import short_hash
from shared.journeys.predicate import Target

Fn = Literal["count", "sum", "distinct", "avg", "min", "max", "last"]

SAMPLES_AT_MOST = 1_000
"""Samples kept of one measure. Of counts and sums the two closest in time are joined, so that nothing is lost but the
exact moment; of everything else the oldest goes."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}
_OF_NOTHING: dict[Fn, float | None] = {"count": 0, "sum": 0, "distinct": 0}


def meets(target: Target, value: float | None) -> bool:
    """Tell whether ``value`` is as ``target`` asks; what there is none of never is."""
    return value is not None and _OPERATORS[target.operator](value, target.number)


def sample_value(found: Any, *, distinct: bool) -> float | None:
    """Return what is kept of the value ``found``: the number itself, or a hash to tell it apart; None: nothing."""
    if distinct:
        return None if found is None else float(short_hash(str(found)) >> 10)  # as many bits as a double holds
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def with_sample(samples: Sequence[Sample], new: Sample, fn: Fn, after: int | None) -> tuple[Sample, ...]:
    """Return ``samples``, which are in the order of their times, with ``new`` and without those not after ``after``."""
    kept = list(samples if after is None else samples[bisect_right(samples, after, key=_at) :])
    if fn == "distinct":
        known = next((sample for sample in kept if sample.value == new.value), None)
        if known is not None:
            kept.remove(known)
            new = known if known.at > new.at else new
    kept.insert(bisect_right(kept, new.at, key=_at), new)
    return _fitting(kept, fn)


def merged_samples(one: Sequence[Sample], other: Sequence[Sample], fn: Fn) -> tuple[Sample, ...]:
    """Return what two contacts that turn out to be one have together, in the order of the times."""
    samples = sorted((*one, *other), key=_at)
    if fn == "distinct":
        newest = {sample.value: sample for sample in samples}
        samples = sorted(newest.values(), key=_at)
    return _fitting(samples, fn)


def _fitting(samples: list[Sample], fn: Fn) -> tuple[Sample, ...]:
    too_many = len(samples) - SAMPLES_AT_MOST
    if too_many > 0 and fn in ("count", "sum"):
        samples = _joined(samples, too_many)
    return tuple(samples[-SAMPLES_AT_MOST:])


def _joined(samples: list[Sample], times: int) -> list[Sample]:
    """Return ``samples`` with the ``times`` that follow closest on another joined to it."""
    close = set(nsmallest(times, range(1, len(samples)), key=lambda place: samples[place].at - samples[place - 1].at))
    joined: list[Sample] = []
    for place, sample in enumerate(samples):
        earlier = joined.pop().value if place in close else 0
        joined.append(Sample(sample.at, earlier + sample.value))
    return joined


def within(samples: Sequence[Sample], now: int, span: int | None) -> Sequence[Sample]:
    """Return those of the last ``span`` ms up to ``now``; exactly as old no longer counts. None: all, whenever."""
    if span is None:
        return samples
    return samples[bisect_right(samples, now - span, key=_at) : bisect_right(samples, now, key=_at)]


def value_of_samples(fn: Fn, samples: Sequence[Sample]) -> float | None:
    """Return ``fn`` over ``samples``; None: of none there is no such value."""
    if fn in ("count", "sum"):
        return sum(sample.value for sample in reversed(samples))  # added up as ``_running`` does, to the last bit
    value = _OF_NOTHING.get(fn)
    for value in _running(fn, samples):  # noqa: B007 - the last is the value of them all
        pass
    return value


def value_of_total(fn: Fn, total: Total | None) -> float | None:
    """Return ``fn`` over everything that ``total`` was made of."""
    if total is None:
        return _OF_NOTHING.get(fn)
    match fn:
        case "avg":
            return total.sum / total.count
        case "count" | "sum" | "min" | "max" | "last":
            return float(getattr(total, fn))
        case _:
            raise AssertionError(fn)  # different values are never a total


def added(total: Total | None, at: int, value: float) -> Total:
    """Return ``total`` with ``value`` of an event at ``at``."""
    if total is None:
        return Total(1, value, value, value, value, at)
    last, last_at = (value, at) if at >= total.last_at else (total.last, total.last_at)
    return Total(total.count + 1, total.sum + value, min(total.min, value), max(total.max, value), last, last_at)


def changes(fn: Fn, samples: Sequence[Sample], span: int) -> Iterator[tuple[int, float | None]]:
    """Yield each moment at which a sample gets too old, and what ``fn`` comes to from then on if nothing happens.

    ``samples`` are those that count now, in the order of their times.
    """
    left = [*reversed([*_running(fn, samples)]), _OF_NOTHING.get(fn)]
    for number, sample in enumerate(samples):
        if number + 1 == len(samples) or samples[number + 1].at > sample.at:
            yield sample.at + span, left[number + 1]


def _running(fn: Fn, samples: Sequence[Sample]) -> Iterator[float]:
    """Yield ``fn`` over the newest sample, over the two newest, and so on to all of them."""
    total, extreme = 0.0, 0.0
    seen: set[float] = set()
    for count, sample in enumerate(reversed(samples), 1):
        value = sample.value
        match fn:
            case "count" | "sum":
                total += value
                yield total
            case "avg":
                total += value
                yield total / count
            case "distinct":
                seen.add(value)
                yield len(seen)
            case "min":
                extreme = value if count == 1 else min(extreme, value)
                yield extreme
            case "max":
                extreme = value if count == 1 else max(extreme, value)
                yield extreme
            case "last":
                yield samples[-1].value


def _at(sample: Sample) -> int:
    return sample.at
