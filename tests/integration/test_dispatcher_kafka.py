"""The dispatcher as a process on a real Kafka, Redis and SMTP server: once each, also when it is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import MINUTE, system_clock
from shared.kafka.admin import ensure_topics
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import Output
from shared.messages import codec
from shared.messages.command import Cancel, Mark, SendCommand
from shared.messages.outcome import Outcome
from shared.messages.topics import CANCELS, COMMANDS, COMMANDS_DLQ, EVENTS, INCARNATION_KEY, TopicName
from shared.settings import KafkaSettings
from tests.builders import ROOT
from tests.dispatching import a_command
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.redis import RedisServer
from tests.servers.smtp import SmtpServer

pytestmark = pytest.mark.integration

PARTITIONS = 2


class World:
    """The servers, topics of our own, and an evaluator that says every 300 ms that it has caught up."""

    def __init__(self, kafka: KafkaServer, redis: RedisServer, smtp: SmtpServer) -> None:
        self.redis, self.smtp = redis, smtp
        self.settings = KafkaSettings(
            kafka_bootstrap=kafka.bootstrap, topic_prefix=f"d-{uuid4().hex[:8]}.", partitions=PARTITIONS
        )
        self.publisher = KafkaPublisher(kafka.bootstrap, prefix=self.settings.topic_prefix, partitions=PARTITIONS)
        self.reader = KafkaLogReader(kafka.bootstrap, prefix=self.settings.topic_prefix)
        self.caught_up = True

    async def mark(self) -> None:
        while True:
            now = system_clock()
            marks = [
                Mark(partition=number, log_time=now, caught_up=self.caught_up, written_at=now)
                for number in range(PARTITIONS)
            ]
            await self.publisher.publish([Output(CANCELS, None, codec.encode(mark), mark.partition) for mark in marks])
            await asyncio.sleep(0.3)

    async def command(self, *commands: SendCommand) -> None:
        await self.publisher.publish(
            [Output(COMMANDS, command.contact.encode(), codec.encode(command)) for command in commands]
        )

    async def cancel(self, command: SendCommand) -> None:
        cancel = Cancel(command_id=command.command_id, contact=command.contact, reason="converted", at=system_clock())
        await self.publisher.publish([Output(CANCELS, command.contact.encode(), codec.encode(cancel))])

    async def values(self, topic: TopicName, partitions: int) -> list[bytes]:
        found: list[bytes] = []
        for number in range(partitions):
            async for batch in self.reader.read_all(topic, number):
                found += [record.value for record in batch if record.value and record.key != INCARNATION_KEY]
        return found

    async def rows(self, topic: TopicName, partitions: int) -> list[bytes]:
        """Return the values of ``topic`` that have a key of their own."""
        found: list[bytes] = []
        for number in range(partitions):
            async for batch in self.reader.read_all(topic, number):
                found += [one.value for one in batch if one.value and not (one.key or b"").startswith(b"\x00")]
        return found

    async def outcomes(self) -> list[Outcome]:
        decoded = [codec.EVENTS.decode(value) for value in await self.values(EVENTS, PARTITIONS)]
        return [record for record in decoded if isinstance(record, Outcome)]

    async def wait_for_outcomes(self, count: int, patience: float = 60) -> list[Outcome]:
        """Return all outcomes once ``count`` commands have one."""
        async with asyncio.timeout(patience):
            while True:
                outcomes = await self.outcomes()
                if len({outcome.command_id for outcome in outcomes}) >= count:
                    return outcomes
                await asyncio.sleep(0.3)

    def mails(self) -> Counter[str]:
        """Return how often each command's mail was accepted."""
        return Counter(str(mail.message["Message-ID"]).strip("<>").split("@")[0] for mail in self.smtp.messages)

    @contextmanager
    def dispatcher(
        self, folder: Path, program: Sequence[str] = ("services.dispatcher",), /, **settings: Any
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a dispatcher process for the block, and stop it cleanly after it."""
        environment = {
            "KIKKAKE_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "KIKKAKE_TOPIC_PREFIX": self.settings.topic_prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_REDIS_URL": self.redis.url,
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{self.smtp.port}",
            "KIKKAKE_EMAIL_FROM": "shop@example.com",
            "KIKKAKE_DISPATCHER_GROUP": self.settings.topic_prefix + "dispatcher",
            "KIKKAKE_DISPATCHER_INSTANCE": "one",
            "KIKKAKE_SESSION_TIMEOUT": "6",
            "KIKKAKE_HEALTH_PORT": str(free_port()),
            **{f"KIKKAKE_{name.upper()}": str(value) for name, value in settings.items()},
        }
        with (folder / f"dispatcher-{uuid4().hex[:4]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *program],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                yield process
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    assert 0 == process.wait(20), (folder / log.name).read_text()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()


@pytest.fixture
async def world(kafka_server: KafkaServer, redis_server: RedisServer, smtp_server: SmtpServer) -> AsyncIterator[World]:
    made = World(kafka_server, redis_server, smtp_server)
    await ensure_topics(made.settings)
    marks = asyncio.create_task(made.mark())
    yield made
    marks.cancel()
    await asyncio.gather(marks, return_exceptions=True)
    await made.publisher.stop()


def command_now(number: int, **changes: Any) -> SendCommand:
    return a_command(number, **{"decided_at": system_clock(), "contact": f"u:c{number}", **changes})


def check_repeats_agree(outcomes: list[Outcome]) -> None:
    """A crash between ``settled`` and ``reported`` reports again: the same end, same id, dropped by readers."""
    assert len({end.command_id for end in outcomes}) == len({(end.message_id, end.status) for end in outcomes})


async def until(condition: Callable[[], bool], patience: float = 30) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_command_becomes_one_mail_and_one_outcome(world: World, tmp_path: Path) -> None:
    with world.dispatcher(tmp_path):
        await world.command(command_now(1))
        outcomes = await world.wait_for_outcomes(1)
        await world.command(command_now(1))
        await world.command(command_now(2, data={}))
        outcomes = await world.wait_for_outcomes(2)
    assert {a_command(1).command_id: 1} == world.mails()
    assert [("sent", None), ("skipped", "template_error")] == sorted((end.status, end.reason) for end in outcomes)


async def test_a_command_cancelled_while_nobody_dispatched_is_never_sent(world: World, tmp_path: Path) -> None:
    await world.command(command_now(1), command_now(2))
    await world.cancel(a_command(1))
    with world.dispatcher(tmp_path):
        outcomes = await world.wait_for_outcomes(2)
    assert {a_command(2).command_id: 1} == world.mails()
    ends = {end.command_id: (end.status, end.reason, end.detail) for end in outcomes}
    assert ("skipped", "exited", "converted") == ends[a_command(1).command_id]


async def test_a_cancel_outlives_the_dispatcher_that_read_it(world: World, tmp_path: Path) -> None:
    """It was read, committed and its command comes later, to another process."""
    await world.cancel(a_command(1))
    with world.dispatcher(tmp_path):
        await world.command(command_now(2))
        await world.wait_for_outcomes(1)
        await asyncio.sleep(1.5)
    with world.dispatcher(tmp_path):
        await world.command(command_now(1))
        outcomes = await world.wait_for_outcomes(2)
    assert {a_command(2).command_id: 1} == world.mails()
    assert {"sent": 1, "skipped": 1} == Counter(end.status for end in outcomes)


async def test_while_the_evaluator_is_behind_only_fresh_decisions_are_sent(world: World, tmp_path: Path) -> None:
    world.caught_up = False
    old = command_now(1, decided_at=system_clock() - MINUTE)
    fresh = 0
    with world.dispatcher(tmp_path):
        await world.command(old)
        while not world.mails():  # on a busy machine a command may be old when it comes to be sent
            fresh += 1
            await world.command(command_now(1 + fresh))
            await asyncio.sleep(0.5)
        assert old.command_id not in world.mails()
        world.caught_up = True
        await world.wait_for_outcomes(1 + fresh)
    assert {1} == set(world.mails().values())
    assert 1 + fresh == len(world.mails())


async def test_poison_is_put_aside_and_the_partition_goes_on(world: World, tmp_path: Path) -> None:
    key = a_command(1).contact.encode()
    with world.dispatcher(tmp_path):
        await world.publisher.publish([Output(COMMANDS, key, b"\x01\x00{not json")])
        await world.command(command_now(1))
        await world.wait_for_outcomes(1)
    letter = codec.DEAD_LETTERS.decode((await world.values(COMMANDS_DLQ, 1))[0])
    assert ("commands", partition_of(key, PARTITIONS), "bad_message", key) == (
        letter.topic,
        letter.partition,
        letter.reason,
        letter.key,
    )


async def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(world: World, tmp_path: Path) -> None:
    """Of 200 messages those in the provider's hands at the kill are declared ambiguous; none is sent twice."""
    world.smtp.delay(0.03)
    commands = [command_now(number) for number in range(200)]
    with world.dispatcher(tmp_path, smtp_connections=8) as process:
        await world.command(*commands)
        await until(lambda: len(world.smtp.messages) >= 60)
        process.kill()
        process.wait()
    with world.dispatcher(tmp_path, smtp_connections=8):
        outcomes = await world.wait_for_outcomes(200)
    statuses = {outcome.command_id: outcome.status for outcome in outcomes}
    mails = world.mails()
    assert {command.command_id for command in commands} == set(statuses)
    assert {"sent", "ambiguous"} >= set(statuses.values())
    assert 1 == max(mails.values())
    unsent = [command_id for command_id in statuses if command_id not in mails]
    assert {"ambiguous"} >= {statuses[command_id] for command_id in unsent}
    # Two partitions share eight connections: no more than those can be in doubt.
    assert 8 >= Counter(statuses.values())["ambiguous"]
    check_repeats_agree(outcomes)


async def test_a_kill_with_retry_sends_each_at_least_once_and_doubles_only_what_was_in_hand(
    world: World, tmp_path: Path
) -> None:
    """Whoever asks for ``retry`` gets those in the provider's hands again, once the killed one's claims have ended."""
    world.smtp.delay(0.03)
    timeouts = {"smtp_timeout": 1, "smtp_reply_timeout": 2}
    commands = [command_now(number, on_ambiguous="retry") for number in range(60)]
    with world.dispatcher(tmp_path, smtp_connections=4, **timeouts) as process:
        await world.command(*commands)
        await until(lambda: len(world.smtp.messages) >= 20)
        process.kill()
        process.wait()
    with world.dispatcher(tmp_path, smtp_connections=4, **timeouts):
        outcomes = await world.wait_for_outcomes(60)
    check_repeats_agree(outcomes)
    assert {"sent"} == {outcome.status for outcome in outcomes}
    mails = world.mails()
    assert {command.command_id for command in commands} == set(mails)
    assert 4 >= sum(mails.values()) - 60


async def test_redis_lost_and_killed_costs_seconds_and_no_message(
    kafka_server: KafkaServer, smtp_server: SmtpServer, tmp_path: Path
) -> None:
    with RedisServer() as redis:
        world = World(kafka_server, redis, smtp_server)
        await ensure_topics(world.settings)
        marks = asyncio.create_task(world.mark())
        smtp_server.delay(0.02)
        with world.dispatcher(tmp_path, smtp_connections=8):
            await world.command(*[command_now(number) for number in range(100)])
            await until(lambda: len(smtp_server.messages) >= 20)
            redis.kill()
            await asyncio.sleep(3)
            held = len(smtp_server.messages)
            assert 100 > held
            (redis.data / "appendonlydir").rename(redis.data / "lost")
            redis.start()
            outcomes = await world.wait_for_outcomes(100)
        marks.cancel()
        await asyncio.gather(marks, return_exceptions=True)
        await world.publisher.stop()
    check_repeats_agree(outcomes)
    assert {"sent"} == {outcome.status for outcome in outcomes}
    assert {1} == set(world.mails().values())


@pytest.mark.long
async def test_a_stopped_dispatcher_that_wakes_after_its_session_sends_nothing_twice(
    world: World, tmp_path: Path
) -> None:
    """SIGSTOP for longer than the session: another takes over; after SIGCONT the first finds out and sends no more."""
    world.smtp.delay(0.03)
    commands = [command_now(number) for number in range(200)]
    with world.dispatcher(tmp_path, smtp_connections=8, dispatcher_instance="first") as first:
        await world.command(*commands)
        await until(lambda: len(world.smtp.messages) >= 40)
        with world.dispatcher(tmp_path, smtp_connections=8, dispatcher_instance="second"):
            first.send_signal(signal.SIGSTOP)
            outcomes = await world.wait_for_outcomes(200)
            first.send_signal(signal.SIGCONT)
            await asyncio.sleep(3)
            outcomes = await world.outcomes()
        # It may have ended by finding itself fenced; the supervisor would start it again.
        if first.poll() is None:
            first.kill()
        first.wait()
    firsts: dict[str, str] = {}
    for outcome in outcomes:
        firsts.setdefault(outcome.command_id, outcome.status)
    mails = world.mails()
    assert 200 == len(firsts)
    assert 1 == max(mails.values())
    assert {"ambiguous"} >= {status for command_id, status in firsts.items() if command_id not in mails}
