"""The standalone host end to end: HTTP in, mail at a real SMTP server out, killed at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import system_clock
from shared.log import LogRecord
from shared.messages.topics import COMMANDS, EVENTS, JOURNAL, TopicName
from tests.e2e.processes import Process, smtp_process, wait_until
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
from tests.servers.process import free_port

pytestmark = pytest.mark.integration


class Host:
    """``kikkake dev`` with its SMTP server, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journeys = write_journeys(folder)
        self.smtp, self.mails = smtp_process(folder)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["cli", "dev", "--port", str(port), "--data", str(folder / "data"), "--durability", "process"]
        arguments += ["--journeys", str(self.journeys), "--smtp", f"smtp://127.0.0.1:{self.smtp.port}"]
        self.process = Process("dev", [*arguments, "--write-key", WRITE_KEY], {}, folder, port)

    def read(self, topic: TopicName) -> list[LogRecord]:
        """Return a topic's records; only while the process is down."""

        async def records() -> list[LogRecord]:
            database = Database(self.folder / "data", "process")
            try:
                log = SqliteLog(database, system_clock)
                return log.read(topic, PARTITION, 0, log.end(topic, PARTITION))
            finally:
                await database.close()

        return asyncio.run(records())

    def unreported(self) -> int:
        """Return how many commands have no reported outcome yet; only while the process is down."""

        async def count() -> int:
            database = Database(self.folder / "data", "process")
            try:
                return len(list(SqliteDeliveries(database, SqliteLog(database, system_clock)).open()))
            finally:
                await database.close()

        return asyncio.run(count())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    host.smtp.start()
    try:
        yield host
    finally:
        host.process.end()
        host.smtp.end()


def _finish(host: Host, shop: Shop) -> int:
    """Wait until every reminder has its outcome, stop in order, and compare everything; returns the ambiguous sends."""
    wait_until(
        lambda: pending_work(f"{host.url}/metrics") == 0, "all messages have their outcome", 60, host.process.tail
    )
    host.process.send(15)  # type: ignore[arg-type]  # SIGTERM
    assert 0 == host.process.wait(), host.process.tail()
    assert 0 == host.unreported()
    verdict = judge_partitions(host.journeys, [host.read(EVENTS)])
    assert_same_decisions(verdict, decoded_journal(host.read(JOURNAL)))
    commands = {command.command_id: command for command in verdict.commands}
    assert commands == decoded_commands(host.read(COMMANDS))
    return assert_delivered(shop, verdict, read_mails(host.mails))


def test_reminders_leave_and_buyers_are_left_alone(host: Host) -> None:
    """The whole way, nothing killed: every decision is the pure core's, every mail arrives once."""
    shop = Shop(leavers=10, buyers=5, quiet=2)
    host.process.start().ready()
    client = Client(host.url)
    for contact in shop.contacts():
        client.introduce(contact)
        client.fill_cart(contact)
    assert 0 == _finish(host, shop)


def test_killed_at_any_moment_nothing_is_lost_and_nothing_decided_twice(host: Host) -> None:
    """Eight kills while events come in, timers fire and mails leave."""
    random = Random(7)
    shop = Shop()
    host.process.start().ready()
    client = Client(host.url)
    contacts = shop.contacts()
    random.shuffle(contacts)
    kills = set(random.sample(range(5, len(contacts)), 5))
    for number, contact in enumerate(contacts):
        client.introduce(contact)
        client.fill_cart(contact)
        if number in kills:
            host.process.kill()
            host.process.start()
    for mails in (20, 40, 60):
        wait_until(lambda wanted=mails: len(read_mails(host.mails)) >= wanted, "mails leave", 30, host.process.tail)  # type: ignore[misc]
        host.process.kill()
        host.process.start()
    host.process.ready()
    ambiguous = _finish(host, shop)
    assert host.process.starts == 9
    assert ambiguous <= 8 * 20, "at most what was in the server's hands at each kill"
