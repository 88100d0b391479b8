"""How often something may be done."""

from __future__ import annotations

from services.ingest.pace import Pace
from tests.fakes import FakeClock


def taken(pace: Pace) -> int:
    """Return how many are taken at once."""
    count = 0
    while pace.take():
        count += 1
    return count


def test_a_second_of_rest_is_worth_so_many_and_a_longer_one_no_more() -> None:
    clock = FakeClock()
    pace = Pace(10, clock)
    assert 10 == taken(pace)
    clock.advance(seconds=1)
    assert 10 == taken(pace)
    clock.advance(hours=1)
    assert 10 == taken(pace)


def test_in_the_long_run_it_is_the_rate_however_often_it_is_asked() -> None:
    clock = FakeClock()
    pace = Pace(4, clock)
    assert 4 == taken(pace)
    total = 0
    for _ in range(10_000):
        clock.advance(7)
        total += taken(pace)
    assert 4 * 70 == total
