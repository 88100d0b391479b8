"""An evaluator far behind, with large records and a broker that is slow to take what it writes: memory is flat."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.clock import system_clock
from shared.kafka.publisher import KafkaPublisher
from shared.log import Output
from shared.messages import codec
from shared.messages.event import Event
from shared.messages.topics import EVENTS
from tests.e2e.processes import Process, wait_until
from tests.integration.evaluator_world import PARTITIONS, World
from tests.servers.fixtures import require
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.proxy import Proxy

pytestmark = [pytest.mark.integration, pytest.mark.long]

RECORDS = 600
RECORD_BYTES = 200_000
"""120 MB to read; each makes a row of that size and two messages, so four times as much is to be written."""
_CHUNK_DELAY = 0.02
"""Some 3 MB a second and connection, in each direction."""
MOST_BYTES = 450_000_000
"""Measured: 95 MB idle, 293 MB at most here; what was read and written would be 600 MB."""


@pytest.fixture
def proxied() -> Iterator[tuple[Proxy, str]]:
    """A broker whose clients all come through the proxy."""
    require(KafkaServer.available())
    port = free_port()
    with Proxy(port) as proxy:
        advertised = {"advertised.listeners": f"BROKER://{proxy.address}"}
        with KafkaServer(port=port, settings=advertised):
            yield proxy, proxy.address


def highest_memory(process: Process) -> int:
    """Return the most that ``process`` ever had resident, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def test_large_records_and_a_slow_broker_do_not_fill_the_memory(tmp_path: Path, proxied: tuple[Proxy, str]) -> None:
    proxy, bootstrap = proxied
    world = World(tmp_path, bootstrap)
    world.env["KIKKAKE_EVALUATOR_BATCH"] = "2000"
    world.visit(6)
    worker = world.evaluator().ready()
    wait_until(world.over, "every run has ended", 60, world.tails)
    idle = highest_memory(worker)
    worker.kill()
    asyncio.run(_fill(world))
    proxy.delay(_CHUNK_DELAY)
    worker = world.evaluator()
    wait_until(world.applied, "every record is applied", 300, world.tails)
    proxy.behave()
    used = highest_memory(worker)
    print(
        f"\n  idle {idle / 1e6:.0f} MB, at most {used / 1e6:.0f} MB with {RECORDS * RECORD_BYTES / 1e6:.0f} MB to read"
    )
    assert used < MOST_BYTES


async def _fill(world: World) -> None:
    publisher = KafkaPublisher(world.bootstrap, prefix=world.prefix, partitions=PARTITIONS, timeout=60)
    await publisher.start()
    for number in range(RECORDS):
        now = system_clock()
        event = Event(
            message_id=f"large-{number}",
            type="track",
            name="Product Added",
            timestamp=now,
            received_at=now,
            user_id=f"large{number}",
            properties={"name": "x" * RECORD_BYTES},
        )
        await publisher.publish([Output(EVENTS, f"u:large{number}".encode(), codec.encode(event))])
    await publisher.stop()
