"""The services on a real Kafka, Redis and SMTP server end to end, each killed in turn in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from shared.messages.topics import COMMANDS, EVENTS, JOURNAL
from tests.e2e.processes import Process, wait_until
from tests.e2e.scenario import (
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
from tests.e2e.stack import Stack
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.integration


@pytest.fixture
def stack(tmp_path: Path, kafka_server: KafkaServer, redis_server: RedisServer) -> Iterator[Stack]:
    stack = Stack(tmp_path, kafka_server, redis_server, write_journeys(tmp_path))
    with stack.running():
        yield stack


def _finish(stack: Stack, shop: Shop) -> int:
    """Wait for every outcome, stop in order, and compare everything; returns the ambiguous sends."""
    url = f"http://127.0.0.1:{stack.evaluator.port}/metrics"
    stack.evaluator.ready()
    wait_until(lambda: pending_work(url) == 0, "all messages have their outcome", 60, stack.tails)
    for process in stack.services:
        process.send(15)  # type: ignore[arg-type]  # SIGTERM
    assert [0, 0, 0] == [process.wait() for process in stack.services], stack.tails()
    verdict = judge_partitions(stack.journeys, stack.read(EVENTS))
    assert_same_decisions(verdict, decoded_journal(record for part in stack.read(JOURNAL) for record in part))
    commands = {command.command_id: command for command in verdict.commands}
    assert commands == decoded_commands(record for part in stack.read(COMMANDS) for record in part)
    return assert_delivered(shop, verdict, read_mails(stack.mails))


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
    assert 0 == _finish(stack, shop)


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
    ambiguous = _finish(stack, shop)
    assert [2, 3, 4] == [process.starts for process in stack.services]
    assert ambiguous <= 3 * 16, "at most what was in the server's hands at each kill of the dispatcher"
