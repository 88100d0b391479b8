"""Ingest in front of a Kafka that stalls, of senders who mean no good, and of ten times the load that it can take."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.kafka.admin import ensure_topics
from shared.settings import KafkaSettings
from tests.integration.hostile_sender import MB, hostile
from tests.integration.test_ingest_kafka import PARTITIONS, Ingest, Visitors, a_track, lost, stored
from tests.load import closed_loop, open_loop, single_requests
from tests.servers.kafka import KafkaServer
from tests.servers.process import HOST, free_port
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def wire(kafka_server: KafkaServer) -> Iterator[Proxy]:
    """A broker of our own, behind a wire that can be harmed."""
    port = free_port()
    with (
        KafkaServer(settings={"advertised.listeners": f"BROKER://{HOST}:{port}"}) as server,
        Proxy(server.port, port=port) as proxy,
    ):
        yield proxy


@pytest.fixture
async def settings(wire: Proxy) -> KafkaSettings:
    settings = KafkaSettings(kafka_bootstrap=wire.address, topic_prefix=f"load-{uuid4().hex}.", partitions=PARTITIONS)
    await ensure_topics(settings)
    return settings


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def p99(latencies: list[float]) -> float:
    return sorted(latencies)[int(len(latencies) * 0.99)]


async def test_a_kafka_that_stalls_is_a_503_at_once(wire: Proxy, settings: KafkaSettings) -> None:
    """Nobody waits in a queue that grows: those who come later are told so within a moment, and nothing is lost."""
    ingest = Ingest(settings, KIKKAKE_STALL_TIMEOUT="0.5")
    try:
        await ingest.until("/readyz", 200)
        visitors = Visitors(ingest, 8)
        await visitors.until(lambda: len(visitors.accepted) > 50, within=30)
        wire.black_hole()
        # The first of them wait as long as a write may take; from then on it is a matter of milliseconds.
        await visitors.until(lambda: len(visitors.refused) >= 200, within=30)
        late = visitors.refused[-100:]
        assert statistics.median(late) < 0.25
        await ingest.until("/readyz", 503)
        before = len(visitors.accepted)
        wire.behave()
        await visitors.until(lambda: len(visitors.accepted) > before + 50, within=40)
        await ingest.until("/readyz", 200)
        await visitors.leave()
    finally:
        wire.behave()
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert set() == await lost(settings, visitors.accepted)


async def test_sigterm_under_load_loses_nothing(settings: KafkaSettings) -> None:
    """/readyz says no first, while events are still taken; then it ends in time, and each 200 is in the log."""
    ingest = Ingest(settings, KIKKAKE_SHUTDOWN_DELAY="1")
    try:
        await ingest.until("/readyz", 200)
        visitors = Visitors(ingest, 8)
        await visitors.until(lambda: len(visitors.accepted) > 50, within=30)
        ingest.process.send_signal(signal.SIGTERM)
        await ingest.until("/readyz", 503)
        told = len(visitors.accepted)
        await visitors.until(lambda: len(visitors.accepted) > told, within=10)
        await asyncio.to_thread(ingest.process.wait, 30)
        await visitors.leave()
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert "ingest.stopped" in logged
    assert set() == await lost(settings, visitors.accepted)


class Attack:
    """What is hostile, sent for ``seconds`` from a process of its own."""

    def __init__(self, ingest: Ingest, seconds: float) -> None:
        self._command = [sys.executable, "-m", "tests.integration.hostile_sender", ingest.url, str(seconds)]
        self._sender: asyncio.subprocess.Process

    async def begin(self) -> None:
        """Return once it sends."""
        self._sender = await asyncio.create_subprocess_exec(*self._command, stdout=subprocess.PIPE)
        assert self._sender.stdout is not None
        assert b"ready\n" == await self._sender.stdout.readline()

    async def end(self) -> dict[str, int]:
        """Return how often each was refused, as it should be."""
        said, _ = await self._sender.communicate()
        assert 0 == self._sender.returncode
        refused: dict[str, int] = json.loads(said)
        return refused


async def test_what_is_huge_is_refused_and_costs_no_memory(settings: KafkaSettings) -> None:
    ingest = Ingest(settings)
    try:
        await ingest.until("/readyz", 200)
        warm = Attack(ingest, 1)
        await warm.begin()
        await warm.end()
        before = resident(ingest.process.pid)
        attack = Attack(ingest, 3)
        await attack.begin()
        refused = await attack.end()
        grown = resident(ingest.process.pid) - before
        async with ingest.client() as http:
            assert 200 == (await http.post("/v1/track", json=a_track("u1", "1"))).status_code
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert min(refused.values()) > 0
    assert grown < 16 * MB


@pytest.mark.long
async def test_r10_others_hardly_notice_who_sends_what_is_huge(settings: KafkaSettings) -> None:
    """Windows with and without the attack take turns, each with the same load; figures are printed."""
    ingest = Ingest(settings, KIKKAKE_WRITE_KEYS="WK,bench")
    host = ingest.url.removeprefix("http://")
    quiet: list[float] = []
    attacked: list[float] = []
    try:
        await ingest.until("/readyz", 200)
        requests = single_requests(host)
        await open_loop(host, requests, rate=100, lines=32, seconds=3)
        before = resident(ingest.process.pid)
        for _ in range(7):
            quiet.append(p99(await open_loop(host, requests, rate=100, lines=32, seconds=6)))
            attack = Attack(ingest, 6)
            await attack.begin()
            attacked.append(p99(await open_loop(host, requests, rate=100, lines=32, seconds=6)))
            await attack.end()
        grown = resident(ingest.process.pid) - before
    finally:
        ingest.end()
    ratio = statistics.median(hit / still for hit, still in zip(attacked, quiet, strict=True))
    print(
        f"R10 p99_ratio={ratio:.2f} quiet_ms={1000 * statistics.median(quiet):.1f}"
        f" attacked_ms={1000 * statistics.median(attacked):.1f} rss_growth_mb={grown / MB:.1f}"
    )
    assert grown < 32 * MB
    # The goal is 1.2 where the attacker has cores of its own; here it shares them with ingest, the broker and the load.
    # What ingest does at once, whatever is sent, is held by CPU time: tests/unit/ingest/test_turns.py.
    assert ratio < 2


@pytest.mark.long
async def test_r12_ten_times_the_clients_get_as_much_done(settings: KafkaSettings) -> None:
    """Ten times the clients that reach the maximum, for a minute: goodput, memory, and what the log has of it."""
    ingest = Ingest(settings, KIKKAKE_WRITE_KEYS="bench", KIKKAKE_KEY_RATE="1000000")
    host = ingest.url.removeprefix("http://")
    try:
        await ingest.until("/readyz", 200)
        requests = single_requests(host)
        await closed_loop(host, requests, lines=32, seconds=5)
        accepted = 0
        rates: dict[int, list[float]] = {32: [], 320: []}
        work: dict[int, list[float]] = {32: [], 320: []}
        sizes = []
        for _ in range(4):
            for lines, seconds in ((32, 8), (320, 16)):
                before = cpu_seconds(ingest.process.pid)
                tally = await closed_loop(host, requests, lines=lines, seconds=seconds)
                work[lines].append(tally.accepted / (cpu_seconds(ingest.process.pid) - before))
                rates[lines].append(tally.accepted / tally.seconds)
                accepted += tally.accepted
            sizes.append(resident(ingest.process.pid))
    finally:
        ingest.end()
    by_clock, by_work = (
        statistics.median(much / most for much, most in zip(found[320], found[32], strict=True))
        for found in (rates, work)
    )
    found = sum(len(events) for events in (await stored(settings)).values())
    print(
        f"R12 goodput={by_clock:.2f} by_cpu={by_work:.2f} accepted={accepted} in_log={found}"
        f" maximum_per_s={statistics.median(rates[32]):.0f} rss_growth_mb={(sizes[-1] - sizes[0]) / MB:.1f}"
    )
    assert found >= accepted
    # By the clock, and by ingest's own CPU seconds, of which nothing else on the machine takes any.
    assert min(by_clock, by_work) >= 0.9
    assert sizes[-1] - sizes[0] < 16 * MB


async def test_a_head_that_never_ends_is_let_go(settings: KafkaSettings) -> None:
    """Whoever opens a connection and says nothing holds it for ten seconds and no longer."""
    ingest = Ingest(settings)
    try:
        await ingest.until("/livez", 200)
        host, _, port = ingest.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/track HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        async with asyncio.timeout(15):
            assert b"" == await reader.read()
        assert time.monotonic() - started > 8
        writer.close()
    finally:
        ingest.end()


def test_what_is_hostile_is_json_where_it_should_be() -> None:
    """Else it would be refused for another reason than its size."""
    bodies: dict[str, Any] = {name: body for name, (body, _) in hostile().items() if name != "a bomb"}
    assert 100_000 == len(json.loads(bodies["a batch of 100,000 items"])["batch"])
    assert 100 * MB < len(json.loads(bodies["a body of 100 MB"])["a"]) + 1
    assert "u1" == orjson.loads(bodies["1,000 levels"])["userId"]
