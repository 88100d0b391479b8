"""R5: Redis killed, flushed, hung, read-only and restored stale while a dispatcher sends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from redis.asyncio import Redis

from shared.kafka.admin import ensure_topics
from tests.faults.judge import Findings
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.integration.test_dispatcher_kafka import World, command_now
from tests.servers.redis import RedisServer
from tests.servers.smtp import SmtpServer

_PER_SECOND = 25
_CALM = 2.0
_OUTAGE = 3.0
_PATIENCE = 120.0


async def r5(setting: Setting) -> Result:
    """Send on while Redis loses what it has, does not answer, refuses writes or goes back in time."""
    count = setting.pick(600, 6_000)
    with tempfile.TemporaryDirectory() as kept, RedisServer() as redis, SmtpServer() as smtp:
        folder = Path(kept)
        world = World(setting.kafka, redis, smtp)
        await ensure_topics(world.settings)
        marks = asyncio.create_task(world.mark())
        harms = _harms(redis, folder)
        with world.dispatcher(folder, smtp_connections=8):
            sending = asyncio.create_task(_send(world, count))
            done = 0
            while not sending.done() or done < len(harms):
                await asyncio.sleep(_CALM)
                await list(harms.values())[done % len(harms)]()
                done += 1
            await sending
            outcomes = await world.wait_for_outcomes(count, _PATIENCE)
        marks.cancel()
        await asyncio.gather(marks, return_exceptions=True)
        await world.publisher.stop()
    ends = {end.command_id: end.status for end in outcomes}
    mails = world.mails()
    findings = Findings(
        events=count,
        decisions=len(ends),
        repeated=len(outcomes) - len(ends),
        lost=sum(name not in mails for name, status in ends.items() if status == "sent"),
        doubled=sum(number - 1 for number in mails.values()),
    )
    statuses = Counter(ends.values())
    result = Result(row="R5", findings=findings, figures={"harms": done, "unknown": statuses["ambiguous"]})
    result.expect(set(statuses) == {"sent"}, f"ended as {dict(statuses)}: Redis is no reason not to send")
    return result


async def _send(world: World, count: int) -> None:
    for number in range(count):
        await world.command(command_now(number))
        await asyncio.sleep(1 / _PER_SECOND)


def _harms(redis: RedisServer, folder: Path) -> Mapping[str, Callable[[], Awaitable[None]]]:
    """Return what is done to ``redis``, each as far as Redis is well again."""
    former = folder / "former"

    async def killed() -> None:
        redis.kill()
        await asyncio.sleep(_OUTAGE)
        shutil.copytree(redis.data, former, dirs_exist_ok=True)
        redis.start()

    async def flushed() -> None:
        async with Redis.from_url(redis.url) as client:
            await client.flushall()

    async def hung() -> None:
        assert redis.pid is not None
        os.kill(redis.pid, signal.SIGSTOP)
        await asyncio.sleep(_OUTAGE)
        os.kill(redis.pid, signal.SIGCONT)

    async def read_only() -> None:
        async with Redis.from_url(redis.url) as client:
            # No replica is there to write to, so it refuses every write.
            await client.config_set("min-replicas-to-write", 1)
            await asyncio.sleep(_OUTAGE)
            await client.config_set("min-replicas-to-write", 0)

    async def stale() -> None:
        redis.kill()
        shutil.rmtree(redis.data)
        shutil.copytree(former, redis.data)
        redis.start()

    return {"killed": killed, "flushed": flushed, "hung": hung, "read_only": read_only, "stale": stale}
