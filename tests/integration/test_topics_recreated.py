"""Topics that are deleted and created anew, under a running evaluator and while it is away, on a real Kafka."""

from __future__ import annotations

import asyncio
import signal

import pytest
from click.testing import CliRunner

from cli.main import cli
from shared.kafka.admin import committed_offsets
from shared.messages import codec
from shared.messages.topics import CHANGELOG, COMMANDS, EVENTS, INCARNATION_KEY, JOURNAL, JOURNEYS
from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import decoded_commands
from tests.integration.evaluator_world import JOURNEY, PARTITIONS, World, lines_of

pytestmark = pytest.mark.integration

EXIT_FATAL = 70


def reason(process: Process) -> str:
    """Return why ``process`` ended itself."""
    assert EXIT_FATAL == process.wait(60), process.tail()
    return str(lines_of(process, "worker_failed")[-1]["exception"])


def runs_ended(world: World) -> int:
    records = [record for part in world.read(JOURNAL) for record in part if record.key != INCARNATION_KEY]
    return len({it.id for it in (codec.JOURNAL.decode(r.value) for r in records) if it.decision == "exited"})


def commands(world: World) -> int:
    return len(decoded_commands(record for part in world.read(COMMANDS) for record in part))


def read_by(world: World) -> dict[int, int]:
    """Return the offsets that the evaluators' group has committed."""
    return asyncio.run(committed_offsets(world.settings, world.group, EVENTS))


@pytest.mark.parametrize("running", [False, pytest.param(True, marks=pytest.mark.long)])
def test_events_created_anew_are_read_from_their_beginning_and_contacts_are_still_known(
    world: World, *, running: bool
) -> None:
    """Carts that were filled in the old log are bought in the new one, whose offsets begin again."""
    worker = world.evaluator().ready()
    world.visit(30, buy=False)
    wait_until(lambda: commands(world) >= 30, "every first reminder", 60, world.tails)
    wait_until(world.over, "every run has ended", 60, world.tails)
    if not running:
        worker.kill()
    world.recreate(EVENTS)
    world.visit(90, buy=False)
    if running:
        reason(worker)
    world.evaluator()
    wait_until(lambda: runs_ended(world) >= 120, "all that stands in the new log is decided", 60, world.tails)
    assert 2 * 120 == commands(world)


def test_a_changelog_created_anew_is_not_taken_for_a_first_start(world: World) -> None:
    """Without it nobody knows who has revoked what: the evaluator says so, and sends nothing."""
    world.visit(12)
    worker = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    worker.send(signal.SIGTERM)
    worker.wait()
    world.recreate(CHANGELOG)
    before = commands(world)
    said = reason(world.evaluator())
    assert "LogRecreatedError" in said
    assert f"{world.prefix}contacts-changelog knows of no contact there" in said
    assert "kafka-consumer-groups.sh --delete-offsets" in said
    assert before == commands(world)
    # What it advises: to a group that has read nothing, it is a first start, and all is decided again as it was.
    world.env["KIKKAKE_EVALUATOR_GROUP"] = f"{world.group}-again"
    world.evaluator()
    world.visit(3)
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()


@pytest.mark.long
def test_a_changelog_created_anew_beneath_an_evaluator_ends_it_and_is_refused_until_it_is_deleted(world: World) -> None:
    """It took an epoch that has the contacts of one batch alone: going on from there would forget all others."""
    world.visit(12)
    worker = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    wait_until(lambda: PARTITIONS == len(read_by(world)), "the group has committed what it read", 30, world.tails)
    world.recreate(CHANGELOG)
    world.visit(30)
    assert "created anew or cut off while we ran" in reason(worker)
    assert "a term that nobody has claimed in it" in reason(world.evaluator())
    world.recreate(CHANGELOG)
    assert "knows of no contact there" in reason(world.evaluator())


@pytest.mark.long
@pytest.mark.parametrize("running", [False, True])
def test_journeys_created_anew_wait_for_who_publishes_them_again(world: World, *, running: bool) -> None:
    """Runs stay on their version, so what it is must be known; then new orders count, though their offsets do not."""
    (world.journeys / "cart.yaml").unlink()
    published = world.folder / "published"
    published.mkdir()
    (published / "cart.yaml").write_text(JOURNEY, encoding="utf-8")
    for name in ("other", "third"):
        (published / f"{name}.yaml").write_text(JOURNEY.replace("id: cart", f"id: {name}"), encoding="utf-8")
    order(world, "publish", str(published))
    worker = world.evaluator().ready()
    wait_until(lambda: _have_read(world, 3), "the orders are in each log", 30, world.tails)
    world.visit(30)
    wait_until(lambda: runs_ended(world) >= 3 * 30, "every run has ended", 60, world.tails)
    if not running:
        worker.kill()
    world.recreate(JOURNEYS)
    if running:
        assert "created anew while we ran" in reason(worker)
    said = reason(world.evaluator())
    assert "cart@1 was published, but" in said
    assert "Publish that version again (`kikkake journeys publish FOLDER`)" in said
    order(world, "publish", str(published))
    order(world, "stop", "third")
    world.evaluator().ready()
    wait_until(lambda: _have_read(world, 3 + 4), "the new orders are in each log", 30, world.tails)
    world.visit(30)
    wait_until(lambda: runs_ended(world) >= 5 * 30, "the runs of two journeys have ended", 60, world.tails)


def order(world: World, *words: str) -> None:
    env = {
        "KIKKAKE_KAFKA_BOOTSTRAP": world.bootstrap,
        "KIKKAKE_TOPIC_PREFIX": world.prefix,
        "KIKKAKE_PARTITIONS": str(PARTITIONS),
    }
    result = CliRunner().invoke(cli, ["journeys", *words, "--by", "aya"], env=env, catch_exceptions=False)
    assert 0 == result.exit_code, result.output


def _have_read(world: World, orders: int) -> bool:
    """Whether each partition's log has ``orders`` markers."""
    return all(
        orders <= sum(record.key is None and b"marker" in (record.value or b"") for record in part)
        for part in world.read(EVENTS)
    )
