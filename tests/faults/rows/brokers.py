"""R2: the broker is stopped or killed, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.clock import system_clock
from tests.faults.recovery import resumed
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.faults.site import Site
from tests.faults.workload import Crowd
from tests.faults.world import world
from tests.servers.kafka import KafkaServer

_RATE = 500


@contextlib.asynccontextmanager
async def _broker() -> AsyncIterator[KafkaServer]:
    """Start a broker that no other row uses."""
    kafka = KafkaServer()
    try:
        await asyncio.to_thread(kafka.start)
        yield kafka
    finally:
        await asyncio.to_thread(kafka.close)


async def r2(setting: Setting) -> Result:
    """The only broker goes, by SIGTERM and by SIGKILL, while events come in directly and through ingest."""
    outages = (1, 10) if not setting.long else (1, 30, 120, 1, 30, 120)
    async with _broker() as kafka, world(kafka.bootstrap, setting.random) as made:
        await made.worker("a").ready()
        site = Site(made.env(), made.folder)
        made.processes.append(site.process)
        await site.start()
        back: list[int] = []

        async def strike() -> None:
            for number, seconds in enumerate(outages):
                await asyncio.sleep(3)
                await asyncio.to_thread(kafka.stop if number % 2 else kafka.kill)
                await asyncio.sleep(seconds)
                await asyncio.to_thread(kafka.start)
                back.append(system_clock())
                await asyncio.sleep(5)

        meanwhile = asyncio.create_task(strike())
        visiting = asyncio.create_task(made.visit(site, Crowd(setting.random, 300, "w"), meanwhile))
        await made.feed(Crowd(setting.random, 3_000), _RATE, meanwhile=meanwhile)
        await visiting
        await made.at_rest()
        stood = [ms for epochs in made.changelog.epochs.values() for ms in resumed(epochs, back)]
        result = Result(
            row="R2",
            findings=await made.judge(),
            figures={
                "outages": len(outages),
                "restarts": len(made.workers[0].ends),
                "refused": site.refused,
                "resumed_max_s": max(stood) / 1000,
            },
        )
        # From the broker's first answer: aiokafka looks again after its back-off, and a new leader takes its time.
        result.require("resumed_max_s", 10)
        return result
