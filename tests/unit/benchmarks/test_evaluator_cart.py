"""The cart job that the evaluator is measured by is the one that it decides."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks.evaluator.cart import ADDED, COMPLETED, IDENTIFIED, VIEWED, WAIT, Act, Command, decide
from benchmarks.evaluator.contestants import JOURNEY
from benchmarks.evaluator.workload import PARTITIONS, Workload, event_of
from shared.journeys.files import load_definitions
from shared.log import LogRecord
from shared.messages import codec
from tests.builders import DAY_START
from tests.oracle import judge
from tests.shopping import write_documents

MINUTE = 60_000


def acts(*said: tuple[int, str, str, str]) -> list[Act]:
    """Minute, contact, name and cart, all in one partition."""
    return [Act(0, contact, minute * MINUTE, name, cart) for minute, contact, name, cart in said]


def test_a_timer_fires_45_minutes_after_the_last_look_and_before_what_brings_the_time() -> None:
    log = acts((0, "a", ADDED, "k1"), (10, "a", VIEWED, ""), (55, "b", VIEWED, ""), (56, "a", ADDED, "k2"))

    assert [[Command("a", "k1", 10 * MINUTE + WAIT, 3)]] == decide(log)


def test_an_order_cancels_the_timer_and_a_look_sets_none() -> None:
    log = acts((0, "a", ADDED, "k1"), (1, "a", COMPLETED, ""), (2, "a", VIEWED, ""), (90, "a", VIEWED, ""))

    assert [[]] == decide(log)


def test_time_is_that_of_the_partition() -> None:
    log = [Act(0, "a", 0, ADDED, "k1"), Act(1, "b", WAIT + 1, VIEWED), Act(0, "c", WAIT, VIEWED)]

    assert [[], []] == decide(log)
    assert [[Command("a", "k1", WAIT, 3)], []] == decide([*log, Act(0, "c", WAIT + 1, IDENTIFIED)])


def test_the_engine_decides_the_same(tmp_path: Path) -> None:
    journeys = load_definitions(write_documents(tmp_path / "journeys", JOURNEY)).journeys
    work = Workload(3_000, 100, DAY_START)
    decided: Counter[tuple[str, str, int]] = Counter()
    for partition in range(PARTITIONS):
        log = [
            LogRecord(number, act.at, act.contact.encode(), codec.encode(event_of(act, number)))
            for number, act in enumerate(work.acts)
            if act.partition == partition
        ]
        for command in judge(journeys, log).commands:
            decided[command.contact, command.data["context"]["cart"], command.decided_at] += 1

    assert work.wanted == decided
    assert decided.total() > 50, "hardly anything was decided"


def test_all_acts_are_done_once_all_commands_are_out_and_none_before_the_first() -> None:
    work = Workload(3_000, 100, DAY_START)

    assert 0 == work.done([0] * PARTITIONS)
    assert work.done([len(there) for there in work.commands]) <= len(work.acts)
    first = work.commands[0][0].act
    assert sum(act.partition == 0 for act in work.acts[: first + 1]) == work.done([1, 0, 0, 0])


def test_a_smaller_workload_is_the_beginning_of_a_larger_one() -> None:
    small, large = Workload(500, 100, DAY_START), Workload(600, 100, DAY_START)

    assert large.acts[:500] == small.acts[:500]
