"""A provider that is away: what waits for it outlives the dispatcher, and comes back from where it is in the log."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from shared.messages import codec
from shared.messages.topics import DELIVERIES
from tests.integration.test_dispatcher_kafka import PARTITIONS, World, command_now, world
from tests.servers.redis import RedisServer

__all__ = ["world"]

pytestmark = pytest.mark.integration

COUNT = 120


async def deferred(world: World) -> int:
    """Return how many commands' newest row says that they wait."""
    rows = [codec.DELIVERIES.decode(value) for value in await world.rows(DELIVERIES, PARTITIONS)]
    return Counter({row.command_id: row.status for row in rows}.values())["deferred"]


async def test_what_waits_outlives_its_dispatcher_and_is_read_back_when_the_provider_is_there(
    world: World, tmp_path: Path, redis_server: RedisServer
) -> None:
    world.smtp.stop()
    settings = {"max_held_bytes": 0, "smtp_connections": 4}
    try:
        with world.dispatcher(tmp_path, **settings) as process:
            await world.command(*[command_now(number) for number in range(COUNT)])
            async with asyncio.timeout(60):
                while await deferred(world) < COUNT:
                    await asyncio.sleep(0.3)
            process.kill()
            process.wait()
    finally:
        world.smtp.start()
    before = len(world.smtp.messages)
    with world.dispatcher(tmp_path, **settings):
        outcomes = await world.wait_for_outcomes(COUNT)
    assert {"sent"} == {outcome.status for outcome in outcomes}
    assert {"smtp"} == {outcome.provider for outcome in outcomes}
    assert COUNT == len(world.smtp.messages) - before
    assert {1} == {world.mails()[command_now(number).command_id] for number in range(COUNT)}
