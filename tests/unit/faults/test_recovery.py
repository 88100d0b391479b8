"""Recovery times and stalls are those of the epochs."""

from __future__ import annotations

import pytest

from tests.faults.recovery import Saved, percentile, recoveries, resumed, stalls


def _saved(at: int, term: int) -> Saved:
    return Saved(at=at, term=term, next_offset=0, log_time=0, timers_fired=0)


EPOCHS = [_saved(100, 1), _saved(200, 1), _saved(900, 2), _saved(1_000, 2), _saved(5_000, 3)]


def test_a_recovery_is_from_the_last_fault_to_the_next_owners_first_epoch() -> None:
    assert [200] == recoveries(EPOCHS, [250, 700])
    assert [700, 4_000] == recoveries(EPOCHS, [200, 1_000])


def test_a_new_owner_without_a_fault_is_no_recovery() -> None:
    assert [] == recoveries(EPOCHS, [50])


def test_a_partition_that_its_owner_kept_has_not_recovered() -> None:
    assert [] == recoveries([_saved(100, 1), _saved(5_000, 1)], [200])


def test_stalls_are_the_gaps_within_the_load() -> None:
    assert [700, 100] == stalls(EPOCHS, 150, 1_000)


def test_what_resumes_is_counted_from_the_time_asked_about() -> None:
    assert [50, 3_000] == resumed(EPOCHS, [150, 2_000])
    assert [] == resumed(EPOCHS, [6_000])


@pytest.mark.parametrize(
    ("values", "share", "expected"), [([], 0.99, 0), ([5, 1, 3], 1, 5), ([5, 1, 3], 0.5, 3), (range(1, 101), 0.99, 99)]
)
def test_percentiles(values: range | list[int], share: float, expected: int) -> None:
    assert expected == percentile(values, share)
