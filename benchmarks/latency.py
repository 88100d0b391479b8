"""``python -m benchmarks.latency``: P8, from an event to the provider's socket, at shares of the most it delivers.

Ingest, evaluator and dispatcher on a real Kafka and Redis, one process each, all on this machine with the load. First
the most orders a second that are confirmed by mail; then open-loop load at shares of it. A latency counts from the
moment at which its event was to be posted, to the mail's last byte at the SMTP server.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from benchmarks.dispatcher.world import Sinks
from benchmarks.path import JOURNEYS, PARTITIONS, WRITE_KEY, at, introduce, post_batches
from tests.e2e.processes import service
from tests.load import open_loop, request_of
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

SHARES = (0.1, 0.5, 0.9)
_MOST = 6_000
_BAR = 60
_LINES = 64


class Host(NamedTuple):
    """The running services: where to post, and where mails go."""

    address: str
    sinks: Sinks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="at each share")
    options = parser.parse_args()
    with running() as host:
        for line in uvloop.run(measure(host, options.seconds)):
            print(line, flush=True)


@contextmanager
def running() -> Iterator[Host]:
    """Start everything for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="kikkake-bench-") as folder, ExitStack() as stack:
        journeys = Path(folder) / "journeys"
        journeys.mkdir()
        (journeys / "order.yaml").write_text(JOURNEYS["order.yaml"], encoding="utf-8")
        broker = stack.enter_context(KafkaServer(heap="1g", fast_start=False))
        redis = stack.enter_context(RedisServer())
        sinks = Sinks()
        stack.callback(sinks.end)
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": broker.bootstrap,
            "KIKKAKE_REDIS_URL": redis.url,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(journeys),
            "KIKKAKE_DATA": str(Path(folder) / "evaluator"),
            "KIKKAKE_WRITE_KEYS": WRITE_KEY,
            "KIKKAKE_KEY_RATE": "1000000",
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{sinks.smtp}",
            "KIKKAKE_LOG_LEVEL": "warning",
        }
        services = [service(name, env, Path(folder)) for name in ("ingest", "evaluator", "dispatcher")]
        for process in services:
            stack.callback(process.end)
            process.start()
        for process in services:
            process.ready()
        yield Host(f"127.0.0.1:{services[0].port}", sinks)


async def measure(host: Host, seconds: float) -> list[str]:
    """Return the figures."""
    await introduce(f"http://{host.address}")
    await arrived(host, await flood(host, 500))
    begun = time.monotonic()
    names = await flood(host, _MOST)
    posted = time.monotonic() - begun
    most = _MOST / (max((await arrived(host, names)).values()) - begun)
    lines = [f"P8 most messages_per_s={most:.0f} posted_in_s={posted:.1f} load={os.getloadavg()[0]:.1f}"]
    for share in SHARES:
        spent = sorted(await trickle(host, most * share, seconds))
        shown = " ".join(f"p{100 * part:g}={at(spent, part):.0f}" for part in (0.5, 0.99, 0.999))
        lines.append(
            f"P8 share={share} rate={most * share:.0f}/s messages={len(spent)}"
            f" event_to_socket_ms {shown} max={spent[-1]:.0f} load={os.getloadavg()[0]:.1f}"
        )
        if share == 0.5:
            lines += histogram(spent)
    return lines


async def flood(host: Host, count: int) -> set[str]:
    """Post ``count`` orders as fast as they are taken; return their names."""
    names = [f"f{time.monotonic_ns()}-{number}" for number in range(count)]
    await post_batches(
        f"http://{host.address}", [{"type": "track", **order(name, number)} for number, name in enumerate(names)]
    )
    return set(names)


async def trickle(host: Host, rate: float, seconds: float) -> list[float]:
    """Post orders at ``rate`` a second; return the ms from each one's due time to its mail's arrival."""
    names = [f"t{time.monotonic_ns()}-{number}" for number in range(int(rate * seconds))]
    requests = [request_of(host.address, "/v1/track", order(name, number)) for number, name in enumerate(names)]
    begin = time.monotonic() + 1
    await open_loop(host.address, requests, rate=rate, lines=_LINES, seconds=seconds, begin=begin)
    found = await arrived(host, set(names))
    return [(found[name] - begin - number / rate) * 1000 for number, name in enumerate(names)]


def order(name: str, number: int) -> dict[str, Any]:
    """Return the call by which a confirmation called ``name`` is asked for."""
    return {
        "userId": f"u{number % 5000}",
        "event": "Order Confirmed",
        "messageId": name,
        "properties": {"order_id": name},
    }


async def arrived(host: Host, names: set[str]) -> dict[str, float]:
    """Wait until all of ``names`` have arrived; return when each did, by the monotonic clock."""
    found: dict[str, float] = {}
    deadline = time.monotonic() + 300
    while not names <= found.keys():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(names - found.keys())} of {len(names)} mails are missing")
        await asyncio.sleep(0.2)
        found |= host.sinks.arrivals()
    return found


def histogram(spent: list[float]) -> list[str]:
    """Return ``spent`` (ms, sorted) drawn: one line a bucket, each twice as wide as the one before."""
    counts = Counter(max(0, math.ceil(math.log2(max(value, 1)))) for value in spent)
    widest = max(counts.values())
    bars = {bucket: "#" * math.ceil(_BAR * counts[bucket] / widest) for bucket in range(min(counts), max(counts) + 1)}
    return [f"  <= {2**bucket:>5} ms {bar:<{_BAR}} {counts[bucket]}" for bucket, bar in bars.items()]


if __name__ == "__main__":
    main()
