"""How often something happened of late, as a share of how often it usually does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from services.evaluator.core.measures import merged_samples, with_sample
from services.evaluator.core.state import Sample

Rate = Callable[[int], float | None]


def with_rated(samples: Sequence[Sample], at: int, oldest: int) -> tuple[Sample, ...]:
    """Return ``samples`` with one more event, of the time ``at``, and without those not after ``oldest``.

    The first sample only says since when there is something to compare with: it is the first event's time, worth 0.
    """
    since = min(at, samples[0].at) if samples else at
    counted = samples[1:]
    if at > oldest:
        counted = with_sample(counted, Sample(at, 1), "count", oldest)
    return (Sample(since, 0), *counted)


def merged_rated(one: Sequence[Sample], other: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return what two such tuples say together: known since the first event of either."""
    since = min(samples[0].at for samples in (one, other) if samples)
    return (Sample(since, 0), *merged_samples(one[1:], other[1:], "count"))


def rate_of(samples: Sequence[Sample], span: int, baseline: int) -> Rate:
    """Return the function from a moment to the rate then: events of the last ``span`` ms by the average per ``span``.

    The average is over the last ``baseline`` ms. None: not known for so long yet, or nothing happened in all that time.
    """
    if not samples:
        return lambda _now: None
    counted = samples[1:]
    times = [sample.at for sample in counted]
    sums = [0, *accumulate(sample.value for sample in counted)]

    def rate(now: int) -> float | None:
        if now < samples[0].at + baseline:
            return None
        so_far = sums[bisect_right(times, now)]
        usual = so_far - sums[bisect_right(times, now - baseline)]
        recent = so_far - sums[bisect_right(times, now - span)]
        return recent * baseline / (usual * span) if usual else None

    return rate


def rate_changes(samples: Sequence[Sample], span: int, baseline: int, now: int) -> Iterator[tuple[int, float | None]]:
    """Yield each moment after ``now`` at which the rate may change if nothing happens, and what it is from then on."""
    if not samples:
        return
    rate = rate_of(samples, span, baseline)
    moments = {samples[0].at + baseline}
    for sample in samples[1:]:
        moments |= {sample.at + span, sample.at + baseline}
    for at in sorted(moment for moment in moments if moment > now):
        yield at, rate(at)
