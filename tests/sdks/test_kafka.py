"""One SDK's way through the services on a real Kafka, with a repeat of what was accepted on it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.kafka.reader import KafkaLogReader
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import EVENTS, INCARNATION_KEY, JOURNAL, TopicName
from tests.e2e.host import JOURNEY, KEY
from tests.e2e.processes import Process, service, wait_until
from tests.sdks.faults import FaultyProxy
from tests.sdks.sending import a_day, send
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration

PARTITIONS = 2


class Services:
    """Ingest and evaluator, with topics of their own."""

    def __init__(self, folder: Path, kafka: KafkaServer) -> None:
        name = uuid.uuid4().hex[:8]
        self._bootstrap, self._prefix = kafka.bootstrap, f"sdks-{name}."
        journeys = folder / "journeys"
        journeys.mkdir()
        (journeys / "seen.yaml").write_text(JOURNEY, encoding="utf-8")
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": self._prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(journeys),
            "KIKKAKE_DATA": str(folder / "data"),
            "KIKKAKE_WRITE_KEYS": KEY,
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{name}",
            "KIKKAKE_EVALUATOR_INSTANCE": f"evaluator-{name}-0",
        }
        self.ingest = service("ingest", env, folder)
        self.evaluator = service("evaluator", env, folder)

    @property
    def processes(self) -> tuple[Process, Process]:
        return self.ingest, self.evaluator

    def read(self, topic: TopicName) -> list[bytes]:
        """Return the topic's records, partition by partition."""

        async def all_records() -> list[bytes]:
            reader = KafkaLogReader(self._bootstrap, prefix=self._prefix)
            found: list[bytes] = []
            for number in range(PARTITIONS):
                async for batch in reader.read_all(topic, number):
                    found += [record.value for record in batch if record.value and record.key != INCARNATION_KEY]
            return found

        return asyncio.run(all_records())

    def entered(self) -> list[str]:
        """Return the messageIds by which somebody entered the journey."""
        entries = [codec.JOURNAL.decode(value) for value in self.read(JOURNAL)]
        return [entry.cause for entry in entries if entry.decision == "entered"]


@pytest.fixture
def services(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[Services]:
    services = Services(tmp_path, kafka_server)
    try:
        for process in services.processes:
            process.start()
        for process in services.processes:
            process.ready()
        yield services
    finally:
        for process in services.processes:
            process.end()


def test_an_sdks_day_on_kafka(packages: None, services: Services) -> None:
    """Accepted, cut off before the answer, sent again: it lies in the topic twice and is decided once."""
    with FaultyProxy(f"http://127.0.0.1:{services.ingest.port}") as proxy:
        proxy.fail("cut")
        send("segment python", proxy.url, a_day("u1", system_clock()))
        # One more contact-wide cause behind the repeats: when it is decided, they are.
        send("segment python", proxy.url, a_day("u1", system_clock()))
    events = [codec.EVENTS.decode(value) for value in services.read(EVENTS)]
    mine = [event for event in events if isinstance(event, Event)]
    assert 12 == len(mine)
    assert 8 == len({event.message_id for event in mine})
    first, repeat, second = [event.message_id for event in mine if event.name == "Product Added"]
    assert first == repeat
    wait_until(lambda: second in services.entered(), "the last event is decided", 30, services.evaluator.tail)
    assert [first, second] == services.entered()
