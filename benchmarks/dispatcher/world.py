"""What the benchmarks of the dispatcher stand on: a broker, a Redis, the sinks, and marks as evaluators write them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.path import cpu_seconds
from shared.clock import system_clock
from shared.ids import command_id
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.log import Output
from shared.messages import codec
from shared.messages.command import Mark, SendCommand
from shared.messages.topics import CANCELS, COMMANDS
from shared.settings import KafkaSettings
from tests.e2e.processes import ROOT, Process, service
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

PARTITIONS = 4
OURS, OTHERS = 0, 1
"""The core of what is measured, and that of the broker, Redis, the sinks and the load."""
_MARK_SECONDS = 0.3


class Taken(NamedTuple):
    """How many messages the sinks have taken."""

    smtp: int
    http: int


class Sinks:
    """The process that plays the providers."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dispatcher.sinks"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self._process.pid, OTHERS)
        self.smtp, self.http, self.late, self.hang = map(int, self._line().split())

    def taken(self) -> Taken:
        """Ask how much was taken so far."""
        return Taken(*map(int, self._ask("count").split()))

    def arrivals(self) -> dict[str, float]:
        """Ask for the mails since this was last asked: subject and monotonic time."""
        return dict(json.loads(self._ask("arrivals")))

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _ask(self, what: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class World:
    """Servers that all measurements share; each has topics and a dispatcher of its own."""

    def __init__(self, folder: Path, kafka: KafkaServer, redis: RedisServer, sinks: Sinks) -> None:
        self.folder = folder
        self.sinks = sinks
        self._kafka = kafka
        self._redis = redis
        self._count = 0

    @asynccontextmanager
    async def dispatching(
        self, commands: Sequence[SendCommand], providers: str = "", **settings: str
    ) -> AsyncIterator[tuple[Process, KafkaPublisher]]:
        """Start a dispatcher that finds ``commands``; ``providers`` is its providers.yaml."""
        self._count += 1
        prefix = f"bench{self._count}."
        kafka = KafkaSettings(kafka_bootstrap=self._kafka.bootstrap, topic_prefix=prefix, partitions=PARTITIONS)
        await ensure_topics(kafka)
        publisher = KafkaPublisher(kafka.kafka_bootstrap, prefix=prefix, partitions=PARTITIONS, timeout=60)
        for start in range(0, len(commands), 500):
            await publisher.publish([output_of(command) for command in commands[start : start + 500]])
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": self._kafka.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_REDIS_URL": self._redis.url,
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{self.sinks.smtp}",
            "KIKKAKE_LOG_LEVEL": "warning",
            **settings,
        }
        if providers:
            file = self.folder / f"providers{self._count}.yaml"
            file.write_text(providers, encoding="utf-8")
            env["KIKKAKE_PROVIDERS"] = str(file)
        dispatcher = service("dispatcher", env, self.folder)
        marking = asyncio.create_task(_mark(publisher))
        try:
            dispatcher.start()
            pin(dispatcher.pid, OURS)
            yield dispatcher, publisher
        finally:
            marking.cancel()
            await asyncio.gather(marking, return_exceptions=True)
            dispatcher.end()
            await publisher.stop()


@contextmanager
def world() -> Iterator[World]:
    """Start the servers for the length of the block."""
    pin(os.getpid(), OTHERS)
    with tempfile.TemporaryDirectory(prefix="kikkake-bench-") as folder, ExitStack() as stack:
        kafka = stack.enter_context(KafkaServer(heap="1g", fast_start=False))
        redis = stack.enter_context(RedisServer())
        for pid in (kafka.pid, redis.pid):
            pin(pid or 0, OTHERS)
        sinks = Sinks()
        stack.callback(sinks.end)
        yield World(Path(folder), kafka, redis, sinks)


def a_message(number: int, channel: str, address: str, text: Mapping[str, str]) -> SendCommand:
    """Return the command of message ``number``; its text is filled in from its data."""
    return SendCommand(
        command_id=command_id(f"run-{channel}-{number}", "remind", 0, ""),
        contact=f"u:{channel}{number}",
        run_id=f"run-{channel}-{number}",
        journey="cart",
        version=1,
        step="remind",
        channels=(channel,),
        addresses={channel: address},
        content={channel: dict(text)},
        data={"contact": {"first_name": "Aki"}, "context": {"product": "Iron kettle", "cart_id": f"k{number}"}},
        purpose="transactional",
        on_ambiguous="retry",
        decided_at=system_clock(),
    )


def output_of(command: SendCommand) -> Output:
    """Return the record of ``command``."""
    return Output(COMMANDS, command.contact.encode(), codec.encode(command))


def pin(pid: int, core: int) -> None:
    """Keep the process ``pid``, with all its threads, on ``core``."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), {core})


class Speed(NamedTuple):
    """Messages per CPU second of the process, and per second by the clock."""

    per_core: float
    clock: float


class Watch(NamedTuple):
    """CPU and wall seconds between two looks at a process."""

    cpu: float
    clock: float


def look(process: Process) -> Watch:
    """Return what ``process`` has used by now, and what time it is."""
    return Watch(cpu_seconds([process]), time.monotonic())


async def _mark(publisher: KafkaPublisher) -> None:
    """Say for each partition, as the evaluator does, that everything decided so far is known."""
    while True:
        now = system_clock()
        marks = [Mark(partition=number, log_time=now, caught_up=True, written_at=now) for number in range(PARTITIONS)]
        await publisher.publish([Output(CANCELS, None, codec.encode(mark), mark.partition) for mark in marks])
        await asyncio.sleep(_MARK_SECONDS)
