"""Evaluators on a cluster of three brokers: leaders change, brokers die and come back, the wire does what wires do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from tests.faults.workload import Crowd
from tests.faults.world import World, world
from tests.servers.fixtures import require
from tests.servers.kafka import KafkaServer
from tests.servers.kafka_cluster import KafkaCluster
from tests.servers.proxy import Proxy

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    require(KafkaServer.available())
    with KafkaCluster(proxied=True) as cluster:
        yield cluster


async def _judged(made: World) -> None:
    await made.at_rest(240)
    found = await made.judge()
    assert found.clean, found.examples
    assert found.decisions > 0
    assert found.commands > 0


async def test_each_broker_is_killed_in_turn_and_nothing_is_lost_or_doubled(cluster: KafkaCluster) -> None:
    """With it go its leaders, and with one of them the group's coordinator; writes go on with two in sync."""
    async with world(cluster.bootstrap, Random(5), replicas=3) as made:
        await made.worker("a").ready()

        async def kill_in_turn() -> None:
            for node in cluster.nodes:
                await asyncio.sleep(1)
                await asyncio.to_thread(node.kill)
                await asyncio.sleep(8)
                await asyncio.to_thread(node.start)
                # It is in sync again before the next one goes: with two away nobody could write.
                await asyncio.sleep(6)

        await made.feed(Crowd(Random(6), 500), RATE, meanwhile=asyncio.create_task(kill_in_turn()))
        await _judged(made)


async def _trouble(made: World, cluster: KafkaCluster) -> None:
    def all_of(trouble: str) -> None:
        for proxy in cluster.proxies:
            getattr(proxy, trouble)()

    for trouble, seconds in (("reset_connections", 2), ("cut", 3), ("half_open", 8), ("black_hole", 8)):
        await asyncio.to_thread(all_of, trouble)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(all_of, "behave")
        await asyncio.sleep(4)
    for proxy in cluster.proxies:
        proxy.delay(0.1)
    await asyncio.sleep(5)
    await asyncio.to_thread(all_of, "behave")


async def test_trouble_on_the_wire_to_all_brokers_loses_and_doubles_nothing(cluster: KafkaCluster) -> None:
    """Connections are reset and refused; answers, then everything, disappear for longer than a session."""
    async with world(cluster.bootstrap, Random(7), replicas=3) as made:
        worker = made.worker("a", KIKKAKE_KAFKA_BOOTSTRAP=cluster.proxied_bootstrap)
        await worker.ready()
        meanwhile = asyncio.create_task(_trouble(made, cluster))
        await made.feed(Crowd(Random(8), 500), RATE, meanwhile=meanwhile)
        await _judged(made)


async def test_one_broker_that_swallows_everything_loses_and_doubles_nothing(cluster: KafkaCluster) -> None:
    """It looks alive to the cluster and its clients hang on it: a leader that is not replaced."""
    async with world(cluster.bootstrap, Random(9), replicas=3) as made:
        worker = made.worker("a", KIKKAKE_KAFKA_BOOTSTRAP=cluster.proxied_bootstrap)
        await worker.ready()

        async def swallow(proxy: Proxy) -> None:
            await asyncio.sleep(1)
            await asyncio.to_thread(proxy.black_hole)
            await asyncio.sleep(10)
            await asyncio.to_thread(proxy.behave)
            await asyncio.sleep(2)

        meanwhile = asyncio.create_task(swallow(cluster.proxies[0]))
        await made.feed(Crowd(Random(10), 500), RATE, meanwhile=meanwhile)
        await _judged(made)
