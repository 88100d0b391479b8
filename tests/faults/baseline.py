"""The same kills against a plain Faust agent with a Table: what it would have lost or doubled."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.e2e.processes import Process
from tests.faults.baseline_agent import PARTITIONS
from tests.faults.setting import Setting
from tests.servers.process import free_port

_RATE = 500
_QUIET = 40
"""Seconds without a new command after which the agents are taken for done: several sessions."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events: with no command, with more than one number, and what the numbers add up to.

    ``repeated`` commands have the number of an earlier one for the same event, so that a reader can drop them.
    """

    events: int
    lost: int
    doubled: int
    repeated: int
    contacts_wrong: int


def loss_of(acts: Iterable[tuple[str, str]], commands: Sequence[tuple[str, str, int]]) -> Loss:
    """Return what is wrong with ``commands`` (messageId, contact, number) for ``acts`` (messageId, contact). Pure."""
    numbers: dict[str, set[int]] = {}
    highest: dict[str, int] = {}
    for message_id, contact, number in commands:
        numbers.setdefault(message_id, set()).add(number)
        highest[contact] = max(number, highest.get(contact, 0))
    counts: dict[str, int] = {}
    known = set()
    for message_id, contact in acts:
        known.add(message_id)
        counts[contact] = counts.get(contact, 0) + 1
    return Loss(
        events=len(known),
        lost=len(known - numbers.keys()),
        doubled=sum(len(found) > 1 for found in numbers.values()),
        repeated=len(commands) - sum(len(found) for found in numbers.values()),
        contacts_wrong=sum(highest.get(contact) != count for contact, count in counts.items()),
    )


async def baseline(setting: Setting) -> str:
    """Run it and return its line."""
    events, kills = setting.pick(20_000, 200_000), setting.pick(8, 40)
    name = f"baseline-{uuid.uuid4().hex[:8]}"
    bootstrap = setting.kafka.bootstrap
    await _create(bootstrap, name)
    acts: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="kikkake-baseline-") as folder:
        agents = [_agent(bootstrap, name, instance, Path(folder)) for instance in ("a", "b")]
        try:
            for agent in agents:
                agent.start()
            killing = asyncio.create_task(_kill(agents, kills, setting.random))
            await _produce(bootstrap, name, acts, events, setting.random, killing)
            commands = await _commands(bootstrap, name)
        finally:
            for agent in agents:
                agent.end()
    found = loss_of(acts, commands)
    figures = " ".join(f"{field}={getattr(found, field)}" for field in Loss.__struct_fields__)
    return f"baseline R1 kills={kills} {figures}"


def _agent(bootstrap: str, name: str, instance: str, folder: Path) -> Process:
    port = free_port()
    arguments = ["tests.faults.baseline_agent", bootstrap, name, f"{name}-{instance}", str(folder)]
    options = ["worker", "-l", "error", "--web-port", str(port)]
    return Process(f"baseline-{instance}", [*arguments, *options], {}, folder, port)


async def _create(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        # The changelog's name is Faust's: <app>-<table>-changelog; it creates that one itself.
        await admin.create_topics([NewTopic(f"{name}-{kind}", PARTITIONS, 1) for kind in ("acts", "commands")])
    finally:
        await admin.close()


async def _kill(agents: Sequence[Process], kills: int, random: Random) -> None:
    await asyncio.sleep(15)  # both have joined, with Faust's own defaults
    for number in range(kills):
        agent = agents[number % len(agents)]
        agent.kill()
        agent.start()
        await asyncio.sleep(6 + 4 * random.random())


async def _produce(
    bootstrap: str, name: str, acts: list[tuple[str, str]], events: int, random: Random, killing: asyncio.Task[None]
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        due = time.monotonic()
        while len(acts) < events or not killing.done():
            contact = f"c{random.randrange(2_000)}"
            act = (f"m{len(acts)}", contact)
            value = json.dumps({"message_id": act[0], "contact": contact}).encode()
            await producer.send(f"{name}-acts", value, contact.encode())
            acts.append(act)
            due += 1 / (_RATE if len(acts) < events else _RATE / 5)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await producer.flush()
    await killing


async def _commands(bootstrap: str, name: str) -> list[tuple[str, str, int]]:
    """Return the commands once no more come."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    found: list[tuple[str, str, int]] = []
    await consumer.start()
    try:
        places = [TopicPartition(f"{name}-commands", number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        quiet = time.monotonic()
        while time.monotonic() - quiet < _QUIET:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                quiet = time.monotonic()
                for record in records:
                    said = json.loads(record.value)
                    found.append((said["message_id"], said["contact"], said["seq"]))
    finally:
        await consumer.stop()
    return found
