"""The evaluator on a real Kafka, ended inside its epochs and paused past its session; judged by the pure core."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.messages.command import SendCommand
from shared.messages.topics import CANCELS, CHANGELOG, COMMANDS, EVENTS, INCARNATION_KEY, JOURNAL
from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import assert_same_decisions, decoded_commands, decoded_journal, judge_partitions
from tests.integration.evaluator_worker import EXIT_CODE, PLACES
from tests.integration.evaluator_world import JOURNEY, PARTITIONS, World, highest_terms, lines_of, stale_records

pytestmark = pytest.mark.integration

EXIT_FENCED = 70


@pytest.mark.parametrize("rounds", [1, pytest.param(3, marks=pytest.mark.long)])
def test_killed_inside_an_epoch_nothing_is_lost_and_nothing_decided_twice(world: World, rounds: int) -> None:
    """The worker dies at each place of an epoch's way, one after another, while events come in and timers fire."""
    for round_number in range(rounds):
        for nth, place in enumerate(PLACES, start=1):
            world.visit(30)
            died = world.failing(place, nth if place != "claimed" else 1 + round_number)
            assert EXIT_CODE == died.wait(), died.tail()
    world.evaluator()
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()


@pytest.mark.parametrize("damage", ["none", "garbage", pytest.param("lost", marks=pytest.mark.long)])
def test_started_again_it_continues_from_its_disk_or_without_it(world: World, damage: str) -> None:
    """The folder is whole (only what is new is read), damaged (found out and discarded) or gone."""
    world.visit(30)
    first = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    first.send(signal.SIGTERM)
    assert 0 == first.wait()
    state = world.folder / "a" / "state"
    if damage == "garbage":
        for path in state.glob("*/*.sst"):
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2].ljust(len(content), b"?"))
    elif damage == "lost":
        shutil.rmtree(state)
    world.visit(30)
    said = first.log.stat().st_size
    again = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()
    begins = [line["begin"] for line in lines_of(again, "partition_restored", said)]
    assert PARTITIONS == len(begins)
    assert (damage == "none") == all(begins)
    assert (damage == "garbage") == bool(lines_of(again, "state_discarded", said))


def test_a_cart_bought_in_the_backlog_is_not_reminded_of(world: World) -> None:
    """The evaluator is down while carts are filled, their reminders come due and half of them are bought."""
    journey = JOURNEY.replace("purpose: transactional", "purpose: marketing, topic: carts")
    (world.journeys / "cart.yaml").write_text(journey, encoding="utf-8")
    world.visit(30, consent="carts", buy=False)
    appended = max(record.timestamp for part in world.read(EVENTS) for record in part)
    wait_until(lambda: system_clock() > appended + 3_000, "the reminders are overdue", 10)
    world.buy([f"c{number}" for number in range(0, 30, 2)])
    world.evaluator()
    wait_until(world.over, "every run has ended", 60, world.tails)
    # What is held leaves once nothing is due any more, which is a moment after the last decision.
    wait_until(lambda: len(_commands(world)) >= 2 * 15, "what was held is released", 30, world.tails)
    commands = _commands(world)
    assert {f"u:c{number}" for number in range(1, 30, 2)} == {command.contact for command in commands.values()}
    assert [] == [r for part in world.read(CANCELS) for r in part if r.key not in (None, INCARNATION_KEY)]
    verdict = judge_partitions(world.journeys, world.read(EVENTS))
    assert_same_decisions(verdict, decoded_journal(record for part in world.read(JOURNAL) for record in part))
    withdrawn = [record for record in verdict.journal if record.decision == "skip"]
    assert 2 * 15 == len(withdrawn)
    assert {"exited"} == {record.reason for record in withdrawn}


@pytest.mark.parametrize("place", ["half_sent", pytest.param("sending", marks=pytest.mark.long)])
def test_a_worker_paused_past_its_session_and_woken_writes_nothing(world: World, place: str) -> None:
    """Stopped when every check is behind it and an epoch goes into its socket; another takes over; it is woken."""
    first = world.failing(place, 2 * PARTITIONS, how="pause")
    world.visit(60)
    wait_until(lambda: _is_stopped(first), "an epoch is on its way", 30, world.tails)
    second = world.evaluator("b")
    world.visit(30)
    wait_until(lambda: highest_terms(world) >= {2}, "the other has claimed", 60, world.tails)
    wait_until(world.over, "the other has finished everything", 60, world.tails)
    first.send(signal.SIGCONT)
    wait_until(lambda: _is_back(first), "the first has come back, or ended to be started again", 30, world.tails)
    world.visit(30)
    wait_until(world.over, "every run has ended", 60, world.tails)
    assert 0 == stale_records(world)
    assert [] == lines_of(second, "changelog_repaired")
    world.compare()


@pytest.mark.parametrize("state", ["disk", pytest.param("memory", marks=pytest.mark.long)])
def test_killed_its_partitions_go_to_the_standby_which_reads_their_tail_alone(world: World, state: str) -> None:
    """Each of two follows what the other owns; one is killed, and its events go on at the other."""
    world.env |= {"KIKKAKE_STATE": state, "KIKKAKE_STANDBY_REPLICAS": "1"}
    first = world.evaluator("a").ready()
    second = world.evaluator("b").ready()
    world.visit(90)
    wait_until(world.over, "every run has ended", 60, world.tails)
    wait_until(lambda: _follows(second), "the standby has read everything", 30, world.tails)
    written = {number: len(part) for number, part in enumerate(world.read(CHANGELOG))}
    said = second.log.stat().st_size
    first.send(signal.SIGKILL)
    world.visit(30)
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()
    taken = {it["partition"]: it["read"] for it in lines_of(second, "partition_restored", said)}
    assert taken, "the partitions of the first have come to the second"
    for partition, read in taken.items():
        assert read < 40 < written[partition] / 2, "an epoch of 20 records, what came since, and the claim"


def _follows(process: Process) -> bool:
    """Whether ``process`` follows partitions and has taken in all that is in their changelogs."""
    lags = [line for line in process.metrics().splitlines() if line.startswith("kikkake_standby_lag_records{")]
    return bool(lags) and all(line.endswith(" 0.0") for line in lags)


def _commands(world: World) -> dict[str, SendCommand]:
    return decoded_commands(record for part in world.read(COMMANDS) for record in part)


def _is_stopped(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()[2] == "T"


def _is_back(process: Process) -> bool:
    """Whether the woken worker left, for its supervisor to start again, or joined anew and claimed as a third."""
    if not process.running:
        assert EXIT_FENCED == process.wait()
        return True
    return '"term": 3' in process.tail()
