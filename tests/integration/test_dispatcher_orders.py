"""A journey is stopped while its messages leave: none does later than a second after the order was accepted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shared.clock import SECOND, system_clock
from shared.kafka.admin import ensure_topics
from shared.log import Output
from shared.messages import codec
from shared.messages.journeys import Order, OrderKind
from shared.messages.topics import JOURNEYS
from tests.integration.test_dispatcher_kafka import World, command_now
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.servers.smtp import ReceivedMessage, SmtpServer

pytestmark = pytest.mark.integration


async def order(world: World, kind: OrderKind) -> int:
    """Return when the order was accepted."""
    given = Order(journey="cart", version=1, order=kind, at=system_clock())
    await world.publisher.publish([Output(JOURNEYS, given.key.encode(), codec.encode(given))])
    return system_clock()


async def test_after_a_stop_nothing_is_sent_and_published_again_only_what_is_decided_then(
    kafka_server: KafkaServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    arrived: dict[str, int] = {}

    def note(mail: ReceivedMessage) -> None:
        arrived[str(mail.message["Message-ID"]).strip("<>").split("@")[0]] = system_clock()

    with SmtpServer(accepted=note) as smtp:
        world = World(kafka_server, redis_server, smtp)
        await ensure_topics(world.settings)
        marks = asyncio.create_task(world.mark())
        smtp.delay(0.1)
        count = 150
        with world.dispatcher(tmp_path, smtp_connections=2):
            # Seven seconds of work for two connections.
            await world.command(*[command_now(number) for number in range(count)])
            async with asyncio.timeout(60):
                while len(arrived) < 10:
                    await asyncio.sleep(0.02)
            stopped = await order(world, "stop")
            outcomes = await world.wait_for_outcomes(count)
            late = command_now(count)
            await world.command(late)
            await world.wait_for_outcomes(count + 1)
            await order(world, "publish")
            anew = command_now(count + 1, decided_at=system_clock() + 1)
            await world.command(anew)
            ends = {end.command_id: end for end in await world.wait_for_outcomes(count + 2)}
        marks.cancel()
        await asyncio.gather(marks, return_exceptions=True)
        await world.publisher.stop()
    assert max(at for name, at in arrived.items() if name != anew.command_id) - stopped <= SECOND
    skipped = [end for end in outcomes if end.status == "skipped"]
    assert {"journey_stopped"} == {end.reason for end in skipped}
    assert count == len(skipped) + len({end.command_id for end in outcomes if end.status == "sent"})
    assert ("skipped", "sent") == (ends[late.command_id].status, ends[anew.command_id].status)
