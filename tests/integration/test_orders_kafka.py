"""Journeys are published, drained and stopped on a real Kafka while evaluators work: no restart, nothing lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from shared.clock import system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import Output
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from shared.messages.topics import EVENTS, INCARNATION_KEY, JOURNAL
from shared.settings import KafkaSettings
from tests.e2e.processes import Process, service, wait_until
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration

PARTITIONS = 2
CONTACTS = 40
CART = """
schema: journey/v1
id: cart
version: VERSION
trigger: {type: event, event: Product Added}
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 2s}}
  - {id: note, update: {set: {seen: VERSION}}}
  - {id: rest, wait: {for: 30d}}
"""


class System:
    def __init__(self, folder: Path, kafka: KafkaServer) -> None:
        self.folder = folder
        prefix = f"orders-{uuid.uuid4().hex[:8]}."
        (folder / "own").mkdir()
        self.env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(folder / "own"),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_EVALUATOR_INSTANCE": prefix,
            "KIKKAKE_SESSION_TIMEOUT": "6",
        }
        self.settings = KafkaSettings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, partitions=PARTITIONS)
        asyncio.run(ensure_topics(self.settings))
        self.processes: list[Process] = []
        self.contacts = 0

    def evaluator(self) -> Process:
        self.processes.append(service("evaluator", self.env, self.folder))
        return self.processes[-1].start()

    def order(self, *words: str) -> str:
        result = CliRunner().invoke(cli, ["journeys", *words], env=self.env, catch_exceptions=False)
        assert 0 == result.exit_code, result.output
        return result.stdout

    def checked(self) -> str:
        """Record the log, decide it again with the orders that stand in it, and return what was found."""
        file = str(self.folder / "log.ndjson")
        for words in (["record", "--out", file], ["check", file, "--journeys", str(self.folder / "own")]):
            result = CliRunner().invoke(cli, ["log", *words], env=self.env, catch_exceptions=False)
            assert 0 == result.exit_code, result.output
        return result.stdout

    def publish(self, version: int) -> str:
        folder = self.folder / f"v{version}"
        folder.mkdir(exist_ok=True)
        (folder / "cart.yaml").write_text(CART.replace("VERSION", str(version)))
        return self.order("publish", str(folder), "--by", "aya")

    def add(self, count: int) -> None:
        """Let ``count`` more contacts fill their carts."""
        now, first = system_clock(), self.contacts
        self.contacts += count
        events = [
            Event(
                message_id=f"c{number}",
                type="track",
                name="Product Added",
                timestamp=now,
                received_at=now,
                user_id=f"c{number}",
            )
            for number in range(first, first + count)
        ]
        outputs = [Output(EVENTS, f"u:{event.user_id}".encode(), codec.encode(event)) for event in events]
        asyncio.run(self._publish(outputs))

    async def _publish(self, outputs: list[Output]) -> None:
        settings = self.settings
        publisher = KafkaPublisher(settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=PARTITIONS)
        await publisher.start()
        await publisher.publish(outputs)
        await publisher.stop()

    def journal(self) -> list[JournalRecord]:
        async def read() -> list[JournalRecord]:
            reader = KafkaLogReader(self.settings.kafka_bootstrap, prefix=self.settings.topic_prefix)
            found = {}
            for partition in range(PARTITIONS):
                async for batch in reader.read_all(JOURNAL, partition):
                    for record in batch:
                        if record.key != INCARNATION_KEY:
                            entry = codec.JOURNAL.decode(record.value)
                            found[entry.id] = entry
            return list(found.values())

        return asyncio.run(read())

    def count(self, decision: str, version: int, reason: str | None = None) -> int:
        wanted = (decision, version, reason)
        return sum((it.decision, it.version, it.reason) == wanted for it in self.journal())

    def seen(self, decision: str, version: int, reason: str | None = None) -> None:
        wait_until(lambda: self.count(decision, version, reason) >= CONTACTS, f"{decision} {version} {reason}", 60)


@pytest.fixture
def system(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[System]:
    system = System(tmp_path, kafka_server)
    try:
        yield system
    finally:
        for process in system.processes:
            process.kill()


def test_journeys_change_under_load_without_a_restart(system: System) -> None:
    worker = system.evaluator()
    assert system.publish(1).startswith("cart@1 live since ")
    assert "nothing to do: it is so already\n" == system.publish(1)
    # Markers and events race: each contact is decided by what stands before it in its own partition.
    wait_until(lambda: _added_until(system, 1), "entered by version 1", 60)
    system.publish(2)
    wait_until(lambda: _added_until(system, 2), "entered by version 2", 60)
    system.seen("update", 1)
    system.seen("update", 2)
    worker.kill()
    system.evaluator()
    assert "cart@2 stopped since" in system.order("stop", "cart", "--by", "aya")
    system.seen("exited", 1, "journey_stopped")
    system.seen("exited", 2, "journey_stopped")
    assert " by aya\n" in system.order("list")
    assert ", 0 differences\n" in system.checked()


def _added_until(system: System, version: int) -> bool:
    """Let more contacts come until enough have entered by ``version``."""
    system.add(CONTACTS)
    return system.count("entered", version) >= CONTACTS
