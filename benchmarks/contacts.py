"""``python -m benchmarks.contacts``: what it costs to ask for a contact while events flow. One line a figure.

``--contacts`` contacts are known. Then three measurements on each host, each without and with ``--rate`` questions a
second: events at a steady rate (latency of the answers, CPU of our processes per answer) and events as fast as they are
taken (what the questions take away from them). Open-loop: an answer's time counts from when it was to be asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from benchmarks.path import BATCH, JOURNEYS, WRITE_KEY, applied, at, cpu_seconds
from tests.e2e.processes import Process, service, wait_until
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

TOKEN = "the-token-of-this-benchmark"
STEADY_EVENTS = 500
STEADY_SECONDS = 20
FLOOD_EVENTS = 40_000
_STRIDE = 7919
_WAITING = 200
"""Questions that wait for their answer at once; more would only measure how long our own list is."""


class Host(NamedTuple):
    """A running host: where to post and ask, where its metrics are, and what it consists of."""

    name: str
    url: str
    metrics: str
    processes: list[Process]


def main() -> None:
    """Measure both hosts and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--contacts", type=int, default=100_000)
    options.add_argument("--rate", type=int, default=100, help="questions a second")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="kikkake-bench-") as folder:
        journeys = Path(folder) / "journeys"
        journeys.mkdir()
        for name, text in JOURNEYS.items():
            (journeys / name).write_text(text, encoding="utf-8")
        for host in (standalone, kafka):
            with host(Path(folder), journeys) as running:
                for figure in asyncio.run(measure(running, given.contacts, given.rate)):
                    print(f"{running.name} {figure}", flush=True)


@contextmanager
def standalone(folder: Path, journeys: Path) -> Iterator[Host]:
    """``kikkake dev`` with full durability."""
    port = free_port()
    args = ["cli", "dev", "--port", str(port), "--data", str(folder / "data"), "--journeys", str(journeys)]
    process = Process("dev", [*args, "--write-key", WRITE_KEY, "--read-token", TOKEN], {}, folder, port)
    url = f"http://127.0.0.1:{port}"
    try:
        process.start().ready()
        yield Host("standalone", url, f"{url}/metrics", [process])
    finally:
        process.end()


@contextmanager
def kafka(folder: Path, journeys: Path) -> Iterator[Host]:
    """Ingest and one evaluator on a Kafka of their own."""
    with ExitStack() as stack:
        broker = stack.enter_context(KafkaServer(heap="1g", fast_start=False))
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": broker.bootstrap,
            "KIKKAKE_PARTITIONS": "4",
            "KIKKAKE_JOURNEYS": str(journeys),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_WRITE_KEYS": WRITE_KEY,
            "KIKKAKE_READ_TOKENS": TOKEN,
            "KIKKAKE_INTERNAL_TOKEN": TOKEN,
        }
        evaluator = service("evaluator", env, folder)
        ingest = service("ingest", {**env, "KIKKAKE_EVALUATORS": f"127.0.0.1:{evaluator.port}"}, folder)
        for process in (evaluator, ingest):
            stack.callback(process.end)
            process.start()
        for process in (evaluator, ingest):
            process.ready()
        metrics = f"http://127.0.0.1:{evaluator.port}/metrics"
        yield Host("kafka", f"http://127.0.0.1:{ingest.port}", metrics, [ingest, evaluator])


async def measure(host: Host, contacts: int, rate: int) -> list[str]:
    """Return the figures of one host."""
    traits = {"email": "aki@example.jp", "first_name": "Aki", "plan": "gold"}
    known = [{"type": "identify", "userId": f"u{number}", "traits": traits} for number in range(contacts)]
    await post(host, known)
    await settle(host, len(known))
    quiet = await steadily(host, contacts, 0)
    asked = await steadily(host, contacts, rate)
    count = len(asked.latencies)
    alone = await flood(host, contacts, 0)
    beside = await flood(host, contacts, rate)
    ends = (
        f"p50_ms={at(asked.latencies, 0.5):.1f} p99_ms={at(asked.latencies, 0.99):.1f} max_ms={asked.latencies[-1]:.1f}"
    )
    per_answer = (asked.cpu - quiet.cpu) / count * 1e6
    return [
        f"contacts={contacts} questions_per_s={rate} events_per_s={STEADY_EVENTS}",
        f"answers={count} refused={rate * STEADY_SECONDS - count} {ends}",
        f"cpu_us_per_answer={per_answer:.0f} cpu_s_without={quiet.cpu:.1f} cpu_s_with={asked.cpu:.1f}",
        f"applied_events_per_s without={alone.speed:.0f} with={beside.speed:.0f}",
        f"cpu_us_per_event without={alone.cpu:.0f} with={beside.cpu:.0f}",
    ]


class Steady(NamedTuple):
    """CPU seconds of the host, and the ms of each answer, in order of size."""

    cpu: float
    latencies: list[float]


async def steadily(host: Host, contacts: int, rate: int) -> Steady:
    """Let events come at their steady rate, with ``rate`` questions a second."""
    cpu, before = cpu_seconds(host.processes), applied(host.metrics)
    asking = asyncio.create_task(ask(host, contacts, rate, STEADY_SECONDS))
    started = time.monotonic()
    total = STEADY_EVENTS * STEADY_SECONDS
    async with client_of(host) as client:
        for first in range(0, total, BATCH):
            await asyncio.sleep(max(0.0, started + first / STEADY_EVENTS - time.monotonic()))
            await post_batch(client, events(first, BATCH, contacts, f"steady-{rate}"))
    latencies = await asking
    await settle(host, before + total)
    return Steady(cpu_seconds(host.processes) - cpu, sorted(latencies))


class Flood(NamedTuple):
    """Events applied in a second, and the CPU of each in us, that of the questions included."""

    speed: float
    cpu: float


async def flood(host: Host, contacts: int, rate: int) -> Flood:
    """Let events come as fast as they are taken, with ``rate`` questions a second."""
    before, cpu = applied(host.metrics), cpu_seconds(host.processes)
    asking = asyncio.create_task(ask(host, contacts, rate, 600))
    started = time.monotonic()
    await post(host, events(0, FLOOD_EVENTS, contacts, f"flood-{rate}"))
    await settle(host, before + FLOOD_EVENTS)
    done = time.monotonic() - started
    asking.cancel()
    return Flood(FLOOD_EVENTS / done, (cpu_seconds(host.processes) - cpu) / FLOOD_EVENTS * 1e6)


def client_of(host: Host) -> httpx2.AsyncClient:
    """Return a client that may post to ``host``."""
    return httpx2.AsyncClient(base_url=host.url, auth=(WRITE_KEY, ""), timeout=60)


async def post(host: Host, calls: list[dict[str, Any]], width: int = 8) -> None:
    """Post ``calls`` in batches, ``width`` requests at a time, as fast as they are taken."""
    batches = iter([calls[start : start + BATCH] for start in range(0, len(calls), BATCH)])

    async def work(client: httpx2.AsyncClient) -> None:
        for batch in batches:
            await post_batch(client, batch)

    async with client_of(host) as client:
        await asyncio.gather(*[work(client) for _ in range(width)])


async def post_batch(client: httpx2.AsyncClient, batch: list[dict[str, Any]]) -> None:
    """Post ``batch`` until it is taken: what is told to come again comes again, as from every SDK."""
    while (answer := await client.post("/v1/batch", json={"batch": batch})).status_code in (429, 503):
        await asyncio.sleep(float(answer.headers["retry-after"]))
    answer.raise_for_status()


async def ask(host: Host, contacts: int, rate: int, seconds: int) -> list[float]:
    """Ask for ``rate`` contacts a second, none twice in a row, and return the ms of each answer, refusals left out."""
    latencies: list[float] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}

    async def one(client: httpx2.AsyncClient, number: int, due: float) -> None:
        contact = f"u{number * _STRIDE % contacts}"
        answer = await client.get(f"/v1/contacts/{contact}")
        if answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE:
            return
        latencies.append((time.monotonic() - due) * 1000)
        answer.raise_for_status()
        if answer.json()["id"] != contact:
            raise AssertionError(answer.text)

    async with (
        httpx2.AsyncClient(base_url=host.url, headers=headers, timeout=60) as client,
        asyncio.TaskGroup() as group,
    ):
        started = time.monotonic()
        under_way: set[asyncio.Task[None]] = set()
        for number in range(rate * seconds):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(under_way) >= _WAITING:
                # Answered late all the same: each one's time counts from when it was due.
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            task = group.create_task(one(client, number, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    return latencies


def events(first: int, count: int, contacts: int, name: str) -> list[dict[str, Any]]:
    """Return the calls of a shop: views, carts and orders."""
    names = ("Product Viewed", "Product Viewed", "Product Added", "Product Viewed", "Order Completed")
    return [
        {
            "type": "track",
            "userId": f"u{number * _STRIDE % contacts}",
            "event": names[number % len(names)],
            "messageId": f"{name}-{number}",
            "properties": {"name": "Iron kettle", "product_id": f"p{number % 50}", "price": 7800},
        }
        for number in range(first, first + count)
    ]


async def settle(host: Host, count: float) -> None:
    """Wait until ``count`` events have been applied."""
    await asyncio.to_thread(wait_until, lambda: applied(host.metrics) >= count, "all events are applied", 300)


if __name__ == "__main__":
    main()
