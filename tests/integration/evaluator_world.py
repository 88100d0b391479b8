"""Topics of its own on a real Kafka, contacts who fill carts, evaluators that are ended; judged by the pure core."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.evaluator.changelog.records import CLAIM, META, stamp_of
from services.evaluator.meta import Meta, decode_meta
from shared.clock import system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, Output
from shared.messages import codec
from shared.messages.event import Event, EventType
from shared.messages.topics import CANCELS, CHANGELOG, COMMANDS, EVENTS, INCARNATION_KEY, JOURNAL, TOPICS, TopicName
from shared.settings import KafkaSettings
from tests.e2e.processes import Process, service
from tests.e2e.scenario import (
    assert_same_decisions,
    decoded_commands,
    decoded_journal,
    judge_partitions,
)
from tests.servers.process import free_port

PARTITIONS = 3

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

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.folder = folder
        self.prefix = f"crash-{self.name}."
        self.bootstrap = bootstrap
        self.journeys = folder / "journeys"
        self.journeys.mkdir()
        (self.journeys / "cart.yaml").write_text(JOURNEY, encoding="utf-8")
        self.processes: list[Process] = []
        self.contacts = 0
        self.env: dict[str, str] = {}
        self.settings = KafkaSettings(kafka_bootstrap=self.bootstrap, topic_prefix=self.prefix, partitions=PARTITIONS)
        asyncio.run(ensure_topics(self.settings))

    def _env(self, instance: str) -> dict[str, str]:
        (self.folder / instance).mkdir(exist_ok=True)
        return {
            "KIKKAKE_KAFKA_BOOTSTRAP": self.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": self.prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_DATA": str(self.folder / instance),
            "KIKKAKE_EVALUATOR_GROUP": self.group,
            "KIKKAKE_EVALUATOR_INSTANCE": f"{self.name}-{instance}",
            "KIKKAKE_SESSION_TIMEOUT": "6",
            # Small batches make many epochs.
            "KIKKAKE_EVALUATOR_BATCH": "20",
            **self.env,
        }

    @property
    def group(self) -> str:
        """The evaluators' consumer group."""
        return f"evaluator-{self.name}"

    def evaluator(self, instance: str = "a") -> Process:
        """Start one that works as it should."""
        env = self._env(instance)
        process = service("evaluator", env, self.folder / instance)
        self.processes.append(process)
        return process.start()

    def failing(self, place: str, nth: int, instance: str = "a", how: str = "die") -> Process:
        """Start one that dies at ``place``, or stands still there."""
        port = free_port()
        arguments = ["tests.integration.evaluator_worker", json.dumps({"place": place, "nth": nth, "how": how})]
        env = {**self._env(instance), "KIKKAKE_HEALTH_PORT": str(port)}
        process = Process("evaluator", arguments, env, self.folder / instance, port)
        self.processes.append(process)
        return process.start()

    def visit(self, count: int, *, consent: str = "", buy: bool = True) -> None:
        """Let ``count`` more contacts fill a cart; every third buys."""
        self.contacts += count
        self._visit(range(self.contacts - count, self.contacts), consent=consent, buy=buy)

    def repeat(self) -> None:
        """Send again what all contacts have done so far: none of it may have an effect."""
        self._visit(range(self.contacts), consent="", buy=True)

    def _visit(self, numbers: Iterable[int], *, consent: str, buy: bool) -> None:
        outputs = []
        for number in numbers:
            contact = f"c{number}"
            outputs.append(_output(contact, "identify", "Identified", traits={"email": f"{contact}@example.jp"}))
            if consent:
                granted = {"topic": consent, "status": "granted"}
                outputs.append(_output(contact, "consent", "Consent Granted", properties=granted))
            outputs.append(_output(contact, "track", "Product Added", properties={"name": "Kettle"}))
            if buy and number % 3 == 0:
                outputs.append(_output(contact, "track", "Order Completed", properties={"total": 1}))
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

    def recreate(self, topic: TopicName) -> None:
        """Delete ``topic`` and create it anew, as whoever starts next would do it."""

        async def recreate() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                await admin.delete_topics([self.prefix + topic])
                while self.prefix + topic in await admin.list_topics():
                    await asyncio.sleep(0.05)
            finally:
                await admin.close()
            await ensure_topics(self.settings)

        asyncio.run(recreate())

    def configure(self, topic: TopicName, changes: dict[str, str]) -> None:
        """Change the broker's settings of ``topic``; the others stay as we make them."""
        [made] = [it for it in TOPICS if it.name == topic]

        async def configure() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                named = ConfigResource(ConfigResourceType.TOPIC, self.prefix + topic, made.config() | changes)
                await admin.alter_configs([named])
            finally:
                await admin.close()

        asyncio.run(configure())

    def metas(self) -> list[Meta]:
        """Return each partition's newest meta row."""
        rows = [[record.value for record in part if record.key == META] for part in self.read(CHANGELOG)]
        return [decode_meta(values[-1]) if values and values[-1] else Meta() for values in rows]

    def applied(self) -> bool:
        """Whether every record has been applied."""
        ends = [part[-1].offset + 1 for part in self.read(EVENTS)]
        return ends == [meta.next_offset for meta in self.metas()]

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


def highest_terms(world: World) -> set[int]:
    """Return the partitions' lowest term: every one was claimed that often."""
    terms = [max((stamp_of(r).term for r in part if r.key == CLAIM), default=0) for part in world.read(CHANGELOG)]
    return set(range(1, min(terms) + 1))


def stale_records(world: World) -> int:
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


def lines_of(process: Process, action: str, since: int = 0) -> list[dict[str, Any]]:
    """Return what ``process`` has logged as ``action`` behind the first ``since`` bytes of its log."""
    said = process.log.read_bytes()[since:].decode(errors="replace").splitlines()
    return [json.loads(line) for line in said if f'"{action}"' in line]
