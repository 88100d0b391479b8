"""The evaluator on a real Kafka, ended inside its epochs and paused past its session; judged by the pure core."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.evaluator.changelog.records import CLAIM, stamp_of
from shared.clock import system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.event import Event, EventType
from shared.messages.topics import CANCELS, CHANGELOG, COMMANDS, EVENTS, INCARNATION_KEY, JOURNAL, TopicName
from shared.settings import KafkaSettings
from tests.e2e.processes import Process, service, wait_until
from tests.e2e.scenario import (
    assert_same_decisions,
    decoded_commands,
    decoded_journal,
    judge_partitions,
)
from tests.integration.evaluator_worker import EXIT_CODE, PLACES
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

PARTITIONS = 3
EXIT_FENCED = 70

JOURNEY = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added}
exit: [{reason: converted, event: Order Completed}]
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 1s, reset_by: [Product Added]}}
  - {id: remind, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
  - {id: pause, wait: {for: 1s}}
  - {id: again, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
"""


class World:
    """Topics of its own, events to evaluate, and evaluators to evaluate them."""

    def __init__(self, folder: Path, kafka: KafkaServer) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.folder = folder
        self.prefix = f"crash-{self.name}."
        self.bootstrap = kafka.bootstrap
        self.journeys = folder / "journeys"
        self.journeys.mkdir()
        (self.journeys / "cart.yaml").write_text(JOURNEY, encoding="utf-8")
        self.processes: list[Process] = []
        self.contacts = 0
        self.settings: dict[str, str] = {}
        settings = KafkaSettings(kafka_bootstrap=self.bootstrap, topic_prefix=self.prefix, partitions=PARTITIONS)
        asyncio.run(ensure_topics(settings))

    def _env(self, instance: str) -> dict[str, str]:
        return {
            "KIKKAKE_KAFKA_BOOTSTRAP": self.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": self.prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_DATA": str(self.folder / instance),
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{self.name}",
            "KIKKAKE_EVALUATOR_INSTANCE": f"{self.name}-{instance}",
            "KIKKAKE_SESSION_TIMEOUT": "6",
            # Small batches make many epochs.
            "KIKKAKE_EVALUATOR_BATCH": "20",
            **self.settings,
        }

    def evaluator(self, instance: str = "a") -> Process:
        """Start one that works as it should."""
        process = service("evaluator", self._env(instance), self.folder)
        self.processes.append(process)
        return process.start()

    def dying(self, place: str, nth: int, instance: str = "a") -> Process:
        """Start one that dies at ``place``."""
        port = free_port()
        arguments = ["tests.integration.evaluator_worker", json.dumps({"place": place, "nth": nth})]
        env = {**self._env(instance), "KIKKAKE_HEALTH_PORT": str(port)}
        process = Process("evaluator", arguments, env, self.folder, port)
        self.processes.append(process)
        return process.start()

    def visit(self, count: int, *, consent: str = "", buy: bool = True) -> None:
        """Let ``count`` more contacts fill a cart; every third buys."""
        outputs = []
        for number in range(self.contacts, self.contacts + count):
            contact = f"c{number}"
            outputs.append(_output(contact, "identify", "Identified", traits={"email": f"{contact}@example.jp"}))
            if consent:
                granted = {"topic": consent, "status": "granted"}
                outputs.append(_output(contact, "consent", "Consent Granted", properties=granted))
            outputs.append(_output(contact, "track", "Product Added", properties={"name": "Kettle"}))
            if buy and number % 3 == 0:
                outputs.append(_output(contact, "track", "Order Completed", properties={"total": 1}))
        self.contacts += count
        self._publish(outputs)

    def buy(self, contacts: Sequence[str]) -> None:
        """Let ``contacts`` buy."""
        self._publish([_output(contact, "track", "Order Completed", properties={"total": 1}) for contact in contacts])

    def _publish(self, outputs: Sequence[Output]) -> None:
        async def publish() -> None:
            publisher = KafkaPublisher(self.bootstrap, prefix=self.prefix, partitions=PARTITIONS)
            await publisher.start()
            await publisher.publish(outputs)
            await publisher.stop()

        asyncio.run(publish())

    def read(self, topic: TopicName) -> list[list[LogRecord]]:
        """Return each partition's records."""

        async def partition(number: int) -> list[LogRecord]:
            reader = KafkaLogReader(self.bootstrap, prefix=self.prefix)
            return [record async for batch in reader.read_all(topic, number) for record in batch]

        async def every() -> list[list[LogRecord]]:
            return list(await asyncio.gather(*[partition(number) for number in range(PARTITIONS)]))

        return asyncio.run(every())

    def over(self) -> bool:
        """Whether every contact's run has ended."""
        journal = decoded_journal(record for part in self.read(JOURNAL) for record in part)
        return self.contacts == sum(record.decision == "exited" for record in journal.values())

    def tails(self) -> str:
        return "\n".join(process.tail() for process in self.processes)

    def compare(self) -> None:
        """Compare every decision, command and cancel with the pure core over the same log."""
        verdict = judge_partitions(self.journeys, self.read(EVENTS))
        assert_same_decisions(verdict, decoded_journal(record for part in self.read(JOURNAL) for record in part))
        commands = decoded_commands(record for part in self.read(COMMANDS) for record in part)
        assert {command.command_id: command for command in verdict.commands} == commands
        cancels = {
            codec.CANCELS.decode(record.value)
            for part in self.read(CANCELS)
            for record in part
            if record.key not in (None, INCARNATION_KEY)
        }
        assert set(verdict.cancels) == cancels


def _output(contact: str, kind: EventType, name: str, **fields: Any) -> Output:
    now = system_clock()
    event = Event(
        message_id=f"{name}-{contact}",
        type=kind,
        name=name,
        timestamp=now,
        received_at=now,
        user_id=contact,
        **fields,
    )
    return Output(EVENTS, f"u:{contact}".encode(), codec.encode(event))


@pytest.fixture
def world(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[World]:
    world = World(tmp_path, kafka_server)
    try:
        yield world
    finally:
        for process in world.processes:
            process.end()


def test_killed_inside_an_epoch_nothing_is_lost_and_nothing_decided_twice(world: World) -> None:
    """The worker dies at each place of an epoch's way, again and again, while events come in and timers fire."""
    for round_number in range(2):
        for nth, place in enumerate(PLACES, start=1):
            world.visit(30)
            died = world.dying(place, nth if place != "claimed" else 1 + round_number)
            assert EXIT_CODE == died.wait(), died.tail()
    world.evaluator()
    wait_until(world.over, "every run has ended", 60, world.tails)
    world.compare()


@pytest.mark.parametrize("damage", ["none", "garbage", "lost"])
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
    lines = again.log.read_bytes()[said:].decode().splitlines()
    begins = [json.loads(line)["begin"] for line in lines if '"partition_restored"' in line]
    assert PARTITIONS == len(begins)
    assert (damage == "none") == all(begins)
    assert (damage == "garbage") == any('"state_discarded"' in line for line in lines)


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


def test_a_worker_paused_past_its_session_and_woken_writes_nothing(world: World) -> None:
    """SIGSTOP for longer than the session, with work in hand; another takes over; SIGCONT."""
    first = world.evaluator("a").ready()
    world.visit(30)
    wait_until(
        lambda: sum(len(part) for part in world.read(COMMANDS)) > PARTITIONS, "work is under way", 30, world.tails
    )
    second = world.evaluator("b")
    second.ready()
    world.visit(60)
    first.send(signal.SIGSTOP)
    world.visit(30)
    wait_until(lambda: _highest_terms(world) >= {2}, "the other has claimed", 60, world.tails)
    wait_until(world.over, "the other has finished everything", 60, world.tails)
    before = _stale_records(world)
    first.send(signal.SIGCONT)
    wait_until(lambda: _is_back(first), "the first has come back, or ended to be started again", 30, world.tails)
    world.visit(30)
    wait_until(world.over, "every run has ended", 60, world.tails)
    assert 0 == before == _stale_records(world)
    world.compare()


@pytest.mark.parametrize("state", ["memory", "disk"])
def test_killed_its_partitions_go_to_the_standby_which_reads_their_tail_alone(world: World, state: str) -> None:
    """Each of two follows what the other owns; one is killed, and its events go on at the other."""
    world.settings = {"KIKKAKE_STATE": state, "KIKKAKE_STANDBY_REPLICAS": "1"}
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
    lines = second.log.read_bytes()[said:].decode().splitlines()
    restored = [json.loads(line) for line in lines if '"partition_restored"' in line]
    taken = {it["partition"]: it["read"] for it in restored}
    assert taken, "the partitions of the first have come to the second"
    for partition, read in taken.items():
        assert read < 40 < written[partition] / 2, "an epoch of 20 records, what came since, and the claim"


def _follows(process: Process) -> bool:
    """Whether ``process`` follows partitions and has taken in all that is in their changelogs."""
    lags = [line for line in process.metrics().splitlines() if line.startswith("kikkake_standby_lag_records{")]
    return bool(lags) and all(line.endswith(" 0.0") for line in lags)


def _commands(world: World) -> dict[str, SendCommand]:
    return decoded_commands(record for part in world.read(COMMANDS) for record in part)


def _is_back(process: Process) -> bool:
    """Whether the woken worker left, for its supervisor to start again, or joined anew and claimed as a third."""
    if not process.running:
        assert EXIT_FENCED == process.wait()
        return True
    return '"term": 3' in process.tail()


def _highest_terms(world: World) -> set[int]:
    """Return the partitions' lowest term: every one was claimed that often."""
    terms = [max((stamp_of(r).term for r in part if r.key == CLAIM), default=0) for part in world.read(CHANGELOG)]
    return set(range(1, min(terms) + 1))


def _stale_records(world: World) -> int:
    """Count the records that stand behind a claim of a higher term."""
    stale = 0
    for part in world.read(CHANGELOG):
        term = 0
        for record in part:
            if record.key == INCARNATION_KEY:
                continue
            stamp = stamp_of(record)
            term = max(term, stamp.term if record.key == CLAIM else 0)
            stale += stamp.term < term
    return stale
