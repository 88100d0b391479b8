"""What evaluators on a real Kafka decided under kills is decided again from the recorded log, byte for byte."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from cli.simulator.calls import call_to_event
from shared.clock import system_clock
from shared.ids import contact_key
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.command import CommandRecord
from shared.messages.event import Event
from shared.messages.topics import COMMANDS, EVENTS, INCARNATION_KEY
from shared.settings import KafkaSettings
from tests.builders import an_event
from tests.e2e.processes import Process, service, wait_until
from tests.e2e.scenario import pending_work
from tests.integration.evaluator_worker import EXIT_CODE, PLACES
from tests.integration.replay_worlds import (
    NO_CONTACT,
    UNREADABLE,
    assert_agreed,
    first_calls,
    later_call,
    outcome_by_lot,
    record,
    write_journeys,
)
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

PARTITIONS = 2
QUIET_SECONDS = 15


def _key(event: Event) -> bytes:
    return (contact_key(event.user_id, event.anonymous_id) or "").encode()


class World:
    """Topics of its own, contacts who do things, a dispatcher that reports by lot, and evaluators to kill."""

    def __init__(self, folder: Path, kafka: KafkaServer) -> None:
        self.folder = folder
        self.name = uuid.uuid4().hex[:8]
        self.random = Random(1)
        self.journeys = write_journeys(folder, system_clock(), QUIET_SECONDS)
        self.processes: list[Process] = []
        self.contacts = 0
        self.env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": f"replay-{self.name}.",
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{self.name}",
            "KIKKAKE_EVALUATOR_INSTANCE": f"replay-{self.name}",
            "KIKKAKE_SESSION_TIMEOUT": "6",
        }
        prefix = self.env["KIKKAKE_TOPIC_PREFIX"]
        self.settings = KafkaSettings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, partitions=PARTITIONS)
        asyncio.run(ensure_topics(self.settings))
        self._collected = dict.fromkeys(range(PARTITIONS), 0)
        self._unsettled: dict[str, CommandRecord] = {}

    def evaluator(self) -> Process:
        """Start one that works as it should."""
        self.processes.append(service("evaluator", self.env, self.folder))
        return self.processes[-1].start()

    def dying(self, place: str, nth: int) -> Process:
        """Start one that dies at the ``nth`` time that it comes to ``place``."""
        port = free_port()
        arguments = ["tests.integration.evaluator_worker", json.dumps({"place": place, "nth": nth})]
        # Small batches make many epochs.
        env = {**self.env, "KIKKAKE_HEALTH_PORT": str(port), "KIKKAKE_EVALUATOR_BATCH": "20"}
        self.processes.append(Process("evaluator", arguments, env, self.folder, port))
        return self.processes[-1].start()

    def happen(self, count: int) -> None:
        """Let ``count`` more contacts come and as many others go on, all mixed up."""
        now = system_clock()
        others = [f"c{self.random.randrange(self.contacts)}" for _ in range(count) if self.contacts]
        doings = [[later_call(contact, self.random, now)] for contact in dict.fromkeys(others)]
        newcomers = range(self.contacts, self.contacts + count)
        doings += [list(first_calls(f"c{number}", self.random, now)) for number in newcomers]
        self.contacts += count
        mixed = []
        while any(doings):
            mixed.append(call_to_event(self.random.choice([rest for rest in doings if rest]).pop(0), now, ""))
        self._publish([Output(EVENTS, _key(event), codec.encode(event)) for event in mixed if event is not None])

    def spoil(self) -> None:
        """Put records into the log that cannot be applied."""
        unreadable = [Output(EVENTS, b"u:c0", UNREADABLE, partition) for partition in range(PARTITIONS)]
        self._publish([*unreadable, Output(EVENTS, NO_CONTACT, codec.encode(an_event("Product Added", 0)))])

    def report(self) -> None:
        """Report about half of the outcomes that are missing; of some two, and not always the same."""
        self._collect()
        outputs = []
        for command in list(self._unsettled.values()):
            if self.random.random() < 0.5:
                del self._unsettled[command.command_id]
                for _ in range(self.random.choice((1, 1, 2))):
                    outcome = outcome_by_lot(command, self.random, system_clock())
                    outputs.append(Output(EVENTS, command.contact.encode(), codec.encode(outcome)))
        self._publish(outputs)

    def change_minds(self) -> None:
        """Let those buy of whom a reminder is on its way: it is called back."""

        def reminders() -> list[CommandRecord]:
            self._collect()
            return [command for command in self._unsettled.values() if command.journey == "cart"]

        def enough() -> bool:
            self.happen(5)
            return len(reminders()) >= 5

        wait_until(enough, "reminders are decided", 60, self.processes[-1].tail)
        now = system_clock()
        for contact in {command.contact for command in reminders()}:
            bought = an_event("Order Completed", now, message_id=f"{contact}-changed", order_id="changed")
            self._publish([Output(EVENTS, contact.encode(), codec.encode(bought))])

    def _collect(self) -> None:
        """Take in the commands that were published since the last time."""
        for partition, begin in self._collected.items():
            for it in self._read(partition, begin):
                self._collected[partition] = it.offset + 1
                if it.key != INCARNATION_KEY:
                    command = codec.COMMANDS.decode(it.value)
                    self._unsettled.setdefault(command.command_id, command)

    def until_dead(self, process: Process) -> None:
        """Go on until ``process`` has died at its place."""

        def dead() -> bool:
            if process.running:
                self.happen(1)
                self.report()
            return not process.running

        wait_until(dead, "the evaluator comes to its place", 180, process.tail)
        assert EXIT_CODE == process.wait(), process.tail()

    def finish(self) -> None:
        """Let a last evaluator catch up, call messages back while it is live, and stop it when nothing is pending."""
        process = self.evaluator().ready()

        def over() -> bool:
            self.report()
            return pending_work(f"http://127.0.0.1:{process.port}/metrics") == 0

        wait_until(over, "what had piled up is decided", 240, process.tail)
        self.change_minds()
        wait_until(over, "nothing is pending", 240, process.tail)
        process.send(15)  # type: ignore[arg-type]  # SIGTERM
        assert 0 == process.wait(), process.tail()

    def _read(self, partition: int, begin: int) -> list[LogRecord]:
        async def read() -> list[LogRecord]:
            reader = KafkaLogReader(self.settings.kafka_bootstrap, prefix=self.settings.topic_prefix)
            return [it async for batch in reader.read_all(COMMANDS, partition, begin) for it in batch]

        return asyncio.run(read())

    def _publish(self, outputs: Sequence[Output]) -> None:
        async def publish() -> None:
            publisher = KafkaPublisher(
                self.settings.kafka_bootstrap, prefix=self.settings.topic_prefix, partitions=PARTITIONS
            )
            await publisher.start()
            await publisher.publish(outputs)
            await publisher.stop()

        if outputs:
            asyncio.run(publish())


@pytest.fixture
def world(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[World]:
    world = World(tmp_path, kafka_server)
    try:
        yield world
    finally:
        for process in world.processes:
            process.end()


def play(world: World, *, rounds: int, contacts: int) -> None:
    """Kill an evaluator at each place of an epoch's way and by SIGKILL at no place in particular, round after round."""
    world.spoil()
    for round_number in range(1, rounds + 1):
        for nth, place in enumerate(PLACES, start=round_number):
            world.happen(contacts)
            world.until_dead(world.dying(place, nth if place != "claimed" else min(nth, PARTITIONS)))
        process = world.evaluator().ready()
        world.happen(contacts)
        world.report()
        process.kill()
    # What has piled up is decided with sends held back; some are withdrawn by what stands further on.
    world.happen(contacts)
    world.finish()


def test_what_was_decided_under_kills_is_decided_again_from_the_log(world: World) -> None:
    play(world, rounds=1, contacts=40)
    agreement = assert_agreed(record(world.folder, env=world.env), world.journeys, seen=PARTITIONS)
    assert min(agreement.commands, agreement.cancels, agreement.emitted) > 0
    assert agreement.repeated > 0, "no crash wrote anything twice"
    assert agreement.withdrawn > 0, "nothing was held back and withdrawn"
    assert agreement.put_aside == PARTITIONS + 1


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_more_contacts_more_kills(world: World, seed: int) -> None:
    world.random.seed(seed)
    play(world, rounds=4, contacts=60)
    assert_agreed(record(world.folder, env=world.env), world.journeys, seen=PARTITIONS)
