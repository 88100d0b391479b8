"""An evaluator that stands still at a failpoint, on a real Kafka: it ends itself and says why; the next one goes on."""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.processes import wait_until
from tests.integration.evaluator_world import World, lines_of

pytestmark = pytest.mark.integration

EXIT_STALLED = 70


@pytest.fixture
def watched(world: World) -> World:
    world.env["KIKKAKE_WATCHDOG_TIMEOUT"] = "5"
    return world


@pytest.mark.parametrize(
    ("place", "nth", "how", "words"),
    [
        ("published", 2, "hang", "partition "),
        pytest.param("before_append", 2, "hang", "partition ", marks=pytest.mark.long),
        pytest.param("fetched", 3, "hang", "partition ", marks=pytest.mark.long),
        pytest.param("assigned", 1, "hang", "the assignment of partitions", marks=pytest.mark.long),
        pytest.param("restored", 1, "hang", "the assignment of partitions", marks=pytest.mark.long),
        pytest.param("kept", 2, "spin", "the event loop", marks=pytest.mark.long),
    ],
)
def test_it_ends_itself_where_nothing_else_would(watched: World, place: str, nth: int, how: str, words: str) -> None:
    """An epoch that is never acknowledged, a fetch that never returns, partitions that never come, a loop for ever."""
    watched.visit(30)
    stuck = watched.failing(place, nth, how=how)
    assert EXIT_STALLED == stuck.wait(60), stuck.tail()
    [line] = lines_of(stuck, "worker_failed")
    assert f"StalledError('{words}" in line["exception"] or f"StalledError: {words}" in line["exception"], line
    assert "KIKKAKE_WATCHDOG_TIMEOUT" in line["exception"]
    watched.evaluator("b")
    wait_until(watched.over, "every run has ended", 60, watched.tails)
    watched.compare()


@pytest.mark.long
def test_one_that_has_nothing_to_do_stays(watched: World) -> None:
    watched.visit(6)
    idle = watched.evaluator().ready()
    wait_until(watched.over, "every run has ended", 60, watched.tails)
    with pytest.raises(subprocess.TimeoutExpired):
        idle.wait(8)
