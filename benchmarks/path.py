"""``python -m benchmarks.path``: the whole way on both hosts: events per second, event to SMTP, cold start.

Starts everything that it needs and ends with one line a figure. Load is open-loop: an event is posted at its time
whatever became of the one before, and its latency counts from that time.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.processes import Process, service, wait_until
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.redis import RedisServer
from tests.servers.smtp import SmtpServer

WRITE_KEY = "bench"
PARTITIONS = 4
EVENTS = int(os.environ.get("BENCH_EVENTS", "40000"))
CONTACTS = 5_000
BATCH = 100
RATE = 40
LATENCY_SECONDS = 20

JOURNEYS = {
    "cart.yaml": """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added, max_age: 30m}
entry: {where: {not: {performed: {event: Order Completed, within: 60m}}}, on_retrigger: update_context}
context: {product: event.properties.name}
exit: [{reason: converted, event: Order Completed}]
policy: {topic: cart_reminders, max_sends: 2}
steps:
  - {id: settle, wait: {for: 45m, reset_by: [Product Added, Product Viewed]}}
  - {id: remind, send: {channels: [email], template: {email: {subject: "{{ context.product }}", text: Hello}}}}
""",
    "order.yaml": """
schema: journey/v1
id: order
version: 1
trigger: {type: event, event: Order Confirmed}
entry: {key: event.properties.order_id}
policy: {purpose: transactional}
steps:
  - id: confirm
    send: {channels: [email], template: {email: {subject: "{{ event.properties.order_id }}", text: Hello}}}
""",
}


def main() -> None:
    """Measure both hosts and print the figures."""
    figures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kikkake-bench-") as folder:
        journeys = Path(folder) / "journeys"
        journeys.mkdir()
        for name, text in JOURNEYS.items():
            (journeys / name).write_text(text, encoding="utf-8")
        with standalone(Path(folder), journeys) as (url, metrics, smtp, processes, cold):
            figures.append(f"standalone cold_start_s={cold:.2f}")
            figures += measure("standalone", url, metrics, smtp, processes)
        with kafka(Path(folder), journeys) as (url, metrics, smtp, processes, cold):
            figures.append(f"kafka services_ready_s={cold:.2f}")
            figures += measure("kafka", url, metrics, smtp, processes)
    print("\n".join(figures))


def measure(host: str, url: str, metrics: str, smtp: Arrivals, processes: list[Process]) -> list[str]:
    """Return the figures of one host."""
    print(f"{host}: {EVENTS} events in batches of {BATCH}", file=sys.stderr)
    asyncio.run(introduce(url))
    before, cpu, started = applied(metrics), cpu_seconds(processes), time.monotonic()
    asyncio.run(flood(url))
    accepted = time.monotonic() - started
    wait_until(lambda: applied(metrics) >= before + EVENTS, "all events are applied", 300)
    done = time.monotonic() - started
    used = cpu_seconds(processes) - cpu
    latencies = sorted(asyncio.run(trickle(url, smtp)))
    speed = f"accepted_events_per_s={EVENTS / accepted:.0f} applied_events_per_s={EVENTS / done:.0f}"
    p50, p99 = at(latencies, 0.5), at(latencies, 0.99)
    return [
        f"{host} {speed} cpu_us_per_event={used / EVENTS * 1e6:.0f}",
        f"{host} event_to_smtp_ms p50={p50:.0f} p99={p99:.0f} max={latencies[-1]:.0f} messages={len(latencies)}",
    ]


class Arrivals:
    """When each message was accepted by the SMTP server, by its subject."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def __call__(self, mail: Any) -> None:
        """Note a message."""
        self.at[str(mail.message["Subject"])] = time.monotonic()


@contextmanager
def standalone(folder: Path, journeys: Path) -> Iterator[tuple[str, str, Arrivals, list[Process], float]]:
    """``kikkake dev`` with full durability."""
    arrivals = Arrivals()
    with SmtpServer(accepted=arrivals) as smtp:
        port = free_port()
        args = ["cli", "dev", "--port", str(port), "--data", str(folder / "data"), "--journeys", str(journeys)]
        args += ["--smtp", f"smtp://127.0.0.1:{smtp.port}", "--write-key", WRITE_KEY]
        process = Process("dev", args, {}, folder, port)
        started = time.monotonic()
        process.start().ready()
        cold = time.monotonic() - started
        try:
            url = f"http://127.0.0.1:{port}"
            yield url, f"{url}/metrics", arrivals, [process], cold
        finally:
            process.end()


@contextmanager
def kafka(folder: Path, journeys: Path) -> Iterator[tuple[str, str, Arrivals, list[Process], float]]:
    """Ingest, evaluator and dispatcher on a Kafka and a Redis of their own."""
    arrivals = Arrivals()
    with ExitStack() as stack:
        smtp = stack.enter_context(SmtpServer(accepted=arrivals))
        broker = stack.enter_context(KafkaServer(heap="1g", fast_start=False))
        redis = stack.enter_context(RedisServer())
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": broker.bootstrap,
            "KIKKAKE_REDIS_URL": redis.url,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(journeys),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_WRITE_KEYS": WRITE_KEY,
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{smtp.port}",
        }
        services = {name: service(name, env, folder) for name in ("ingest", "evaluator", "dispatcher")}
        for process in services.values():
            stack.callback(process.end)
        started = time.monotonic()
        for process in services.values():
            process.start()
        for process in services.values():
            process.ready()
        cold = time.monotonic() - started
        url = f"http://127.0.0.1:{services['ingest'].port}"
        metrics = f"http://127.0.0.1:{services['evaluator'].port}/metrics"
        yield url, metrics, arrivals, list(services.values()), cold


async def introduce(url: str) -> None:
    """Make every contact known."""
    calls: list[dict[str, Any]] = [
        {"type": "identify", "userId": f"u{n}", "traits": {"email": f"u{n}@example.jp", "first_name": "Aki"}}
        for n in range(CONTACTS)
    ]
    await post_batches(url, calls)


async def flood(url: str) -> None:
    """Post the events as fast as they are taken: views, carts and a few orders, as a shop has them."""
    names = ("Product Viewed", "Product Viewed", "Product Added", "Product Viewed", "Order Completed")
    calls: list[dict[str, Any]] = [
        {
            "type": "track",
            "userId": f"u{n * 7919 % CONTACTS}",
            "event": names[n % len(names)],
            "messageId": f"flood-{url[-5:]}-{n}",
            "properties": {"name": "Iron kettle", "product_id": f"p{n % 50}", "price": 7800, "cart_id": f"k{n}"},
        }
        for n in range(EVENTS)
    ]
    await post_batches(url, calls)


async def post_batches(url: str, calls: list[dict[str, Any]], width: int = 8) -> None:
    """Post ``calls`` in batches, ``width`` requests at a time."""
    batches = iter([calls[start : start + BATCH] for start in range(0, len(calls), BATCH)])

    async def work(client: httpx2.AsyncClient) -> None:
        for batch in batches:
            answer = await client.post("/v1/batch", json={"batch": batch})
            answer.raise_for_status()

    async with httpx2.AsyncClient(base_url=url, auth=(WRITE_KEY, ""), timeout=60) as client:
        await asyncio.gather(*[work(client) for _ in range(width)])


async def trickle(url: str, arrivals: Arrivals) -> list[float]:
    """Post orders at ``RATE`` a second and return the ms from each one's time to its mail's acceptance."""
    due: dict[str, float] = {}
    async with (
        httpx2.AsyncClient(base_url=url, auth=(WRITE_KEY, ""), timeout=60) as client,
        asyncio.TaskGroup() as group,
    ):
        start = time.monotonic() + 1
        for number in range(RATE * LATENCY_SECONDS):
            order = f"o-{url[-5:]}-{number}"
            due[order] = start + number / RATE
            await asyncio.sleep(max(0.0, due[order] - time.monotonic()))
            body = {"userId": f"u{number}", "event": "Order Confirmed", "properties": {"order_id": order}}
            group.create_task(client.post("/v1/track", json=body))
    wait_until(lambda: due.keys() <= arrivals.at.keys(), "every order is confirmed", 60)
    return [(arrivals.at[order] - at) * 1000 for order, at in due.items()]


def applied(metrics: str) -> float:
    """Return how many events have been applied so far."""
    with urllib.request.urlopen(metrics, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("kikkake_conservation{") and 'kind="applied"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def cpu_seconds(processes: list[Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


def at(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of the sorted ``values`` lie."""
    return values[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()
