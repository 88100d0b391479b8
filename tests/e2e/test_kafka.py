"""The services on a real Kafka, Redis and SMTP server end to end, each killed in turn in the middle."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord
from shared.messages.topics import COMMANDS, EVENTS, JOURNAL, TopicName
from tests.e2e.processes import Process, service, smtp_process, wait_until
from tests.e2e.scenario import (
    WRITE_KEY,
    Client,
    Shop,
    assert_delivered,
    assert_same_decisions,
    decoded_commands,
    decoded_journal,
    judge_partitions,
    pending_work,
    read_mails,
    write_journeys,
)
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.integration

PARTITIONS = 4


class Stack:
    """Ingest, evaluator and dispatcher, with topics of their own on the shared servers."""

    def __init__(self, folder: Path, kafka: KafkaServer, redis: RedisServer) -> None:
        name = uuid.uuid4().hex[:8]
        self.prefix = f"e2e-{name}."
        self.bootstrap = kafka.bootstrap
        self.journeys = write_journeys(folder)
        self.smtp, self.mails = smtp_process(folder)
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_REDIS_URL": redis.url,
            "KIKKAKE_TOPIC_PREFIX": self.prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_WRITE_KEYS": WRITE_KEY,
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{self.smtp.port}",
            "KIKKAKE_EMAIL_FROM": "Shop <shop@example.jp>",
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{name}",
            "KIKKAKE_EVALUATOR_INSTANCE": f"evaluator-{name}-0",
            "KIKKAKE_DISPATCHER_GROUP": f"dispatcher-{name}",
            "KIKKAKE_DISPATCHER_INSTANCE": f"dispatcher-{name}-0",
            # The least that a broker takes by default: an outage after a kill lasts as long at the most.
            "KIKKAKE_SESSION_TIMEOUT": "6",
        }
        self.ingest = service("ingest", env, folder)
        self.evaluator = service("evaluator", env, folder)
        self.dispatcher = service("dispatcher", env, folder)
        self.services = (self.ingest, self.evaluator, self.dispatcher)

    def read(self, topic: TopicName) -> list[list[LogRecord]]:
        """Return each partition's records."""

        async def partition(number: int) -> list[LogRecord]:
            reader = KafkaLogReader(self.bootstrap, prefix=self.prefix)
            return [record async for batch in reader.read_all(topic, number) for record in batch]

        async def all_partitions() -> list[list[LogRecord]]:
            return list(await asyncio.gather(*[partition(number) for number in range(PARTITIONS)]))

        return asyncio.run(all_partitions())

    def tails(self) -> str:
        """The last lines of every service."""
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self.services)

    def finish(self, shop: Shop) -> int:
        """Wait for every outcome, stop in order, and compare everything; returns the ambiguous sends."""
        url = f"http://127.0.0.1:{self.evaluator.port}/metrics"
        self.evaluator.ready()
        wait_until(lambda: pending_work(url) == 0, "all messages have their outcome", 60, self.tails)
        for process in self.services:
            process.send(15)  # type: ignore[arg-type]  # SIGTERM
        assert [0, 0, 0] == [process.wait() for process in self.services], self.tails()
        verdict = judge_partitions(self.journeys, self.read(EVENTS))
        assert_same_decisions(verdict, decoded_journal(record for part in self.read(JOURNAL) for record in part))
        commands = {command.command_id: command for command in verdict.commands}
        assert commands == decoded_commands(record for part in self.read(COMMANDS) for record in part)
        return assert_delivered(shop, verdict, read_mails(self.mails))


@pytest.fixture
def stack(tmp_path: Path, kafka_server: KafkaServer, redis_server: RedisServer) -> Iterator[Stack]:
    stack = Stack(tmp_path, kafka_server, redis_server)
    stack.smtp.start()
    try:
        for process in stack.services:
            process.start()
        for process in stack.services:
            process.ready()
        yield stack
    finally:
        for process in (*stack.services, stack.smtp):
            process.end()


def _restart(process: Process) -> None:
    process.kill()
    process.start()


def test_reminders_leave_and_buyers_are_left_alone(stack: Stack) -> None:
    """The whole way, nothing killed: every decision is the pure core's, every mail arrives once."""
    shop = Shop(leavers=10, buyers=5, quiet=2)
    client = Client(f"http://127.0.0.1:{stack.ingest.port}")
    for contact in shop.contacts():
        client.introduce(contact)
        client.fill_cart(contact)
    assert 0 == stack.finish(shop)


def test_each_service_killed_in_turn_loses_nothing_and_decides_nothing_twice(stack: Stack) -> None:
    """Two rounds of kill -9 of ingest, evaluator and dispatcher while events come in, then while mails leave."""
    random = Random(3)
    shop = Shop()
    client = Client(f"http://127.0.0.1:{stack.ingest.port}")
    contacts = shop.contacts()
    random.shuffle(contacts)
    kills = dict(zip(sorted(random.sample(range(5, len(contacts)), 3)), stack.services, strict=True))
    for number, contact in enumerate(contacts):
        client.introduce(contact)
        client.fill_cart(contact)
        if number in kills:
            _restart(kills[number])
    for mails, process in ((15, stack.dispatcher), (35, stack.evaluator), (50, stack.dispatcher)):
        wait_until(lambda wanted=mails: len(read_mails(stack.mails)) >= wanted, "mails leave", 60, stack.tails)  # type: ignore[misc]
        _restart(process)
    ambiguous = stack.finish(shop)
    assert [2, 3, 4] == [process.starts for process in stack.services]
    assert ambiguous <= 3 * 16, "at most what was in the server's hands at each kill of the dispatcher"
