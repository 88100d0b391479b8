"""An evaluator that stands still at a failpoint, on a real Kafka: it ends itself and says why; the next one goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import wait_until
from tests.integration.evaluator_world import World, lines_of
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration

EXIT_STALLED = 70


@pytest.fixture
def world(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[World]:
    world = World(tmp_path, kafka_server.bootstrap)
    world.env["KIKKAKE_WATCHDOG_TIMEOUT"] = "5"
    try:
        yield world
    finally:
        for process in world.processes:
            process.end()


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
def test_it_ends_itself_where_nothing_else_would(world: World, place: str, nth: int, how: str, words: str) -> None:
    """An epoch that is never acknowledged, a fetch that never returns, partitions that never come, a loop for ever."""
    world.visit(30)
    stuck = world.failing(place, nth, how=how)
    assert EXIT_STALLED == stuck.wait(60), stuck.tail()
    [line] = lines_of(stuck, "worker_failed")
    assert f"StalledError('{words}" in line["exception"] or f"StalledError: {words}" in line["exception"], line
    assert "KIKKAKE_WATCHDOG_TIMEOUT" in line["exception"]
    world.evaluator("b")
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()


@pytest.mark.long
def test_one_that_has_nothing_to_do_stays(world: World) -> None:
    world.visit(6)
    idle = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    with pytest.raises(subprocess.TimeoutExpired):
        idle.wait(8)
