"""How often a source may send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.rates import Rate, charge, wait

TEN = Rate(per_second=10, burst=3)


def test_a_burst_and_then_one_every_interval() -> None:
    full_at, taken = 0.0, []
    for now in range(0, 501, 10):
        while wait(full_at, TEN, now) == 0:
            full_at = charge(full_at, TEN, 1, now)
            taken.append(now)
    assert [0, 0, 0, 100, 200, 300, 400, 500] == taken


def test_the_wait_is_exact() -> None:
    full_at = charge(0.0, TEN, 3, 0)
    assert 100 == wait(full_at, TEN, 0)
    assert 1 == wait(full_at, TEN, 99)
    assert 0 == wait(full_at, TEN, 100)


def test_a_batch_larger_than_the_burst_is_taken_and_paid_for() -> None:
    """Else it could never be sent; those after it wait until the bucket has room again."""
    assert 0 == wait(0.0, TEN, 0)
    full_at = charge(0.0, TEN, 50, 0)
    assert 4_800 == wait(full_at, TEN, 0)


def test_silence_fills_the_bucket_and_no_more() -> None:
    full_at = charge(0.0, TEN, 3, 0)
    later = 3_600_000
    for _ in range(3):
        assert 0 == wait(full_at, TEN, later)
        full_at = charge(full_at, TEN, 1, later)
    assert 100 == wait(full_at, TEN, later)


@given(gaps=st.lists(st.integers(0, 400), max_size=200), per_second=st.sampled_from([0.5, 3, 10, 1000]))
def test_no_more_than_the_rate_is_taken_in_any_window(gaps: list[int], per_second: float) -> None:
    rate = Rate(per_second=per_second, burst=5)
    full_at, now, taken = 0.0, 0, []
    for gap in gaps:
        now += gap
        if wait(full_at, rate, now) == 0:
            full_at = charge(full_at, rate, 1, now)
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = rate.burst + (taken[last] - taken[first]) * per_second / 1000
            assert last - first + 1 <= allowed + 1e-6
