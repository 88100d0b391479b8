"""A producer without HTTP: what of the figures is Kafka's and aiokafka's.

``python -m benchmarks.ingest.produce at RATE SECONDS`` prints the seconds from each record's due time to its
acknowledgement, open loop; ``... most SIZE SECONDS`` the records and the CPU seconds of 32 callers, each of which sends
SIZE records, waits for all of them, and goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop
from aiokafka import AIOKafkaProducer

from tests.load import call_of

_CALLERS = 32
_RECORDS = [(f"u{number * 7919 % 2_000}".encode(), json.dumps(call_of(number)).encode()) for number in range(2_000)]


async def at(producer: AIOKafkaProducer, topic: str, rate: float, seconds: float) -> list[float]:
    """Send ``rate`` records a second, each alone; return the seconds from each due time to the acknowledgement."""
    latencies: list[float] = []

    async def send(number: int, due: float) -> None:
        key, value = _RECORDS[number % len(_RECORDS)]
        await producer.send_and_wait(topic, value, key)
        latencies.append(time.monotonic() - due)

    await send(0, time.monotonic())
    latencies.clear()
    started, asked, count = time.monotonic() + 0.1, 0, int(rate * seconds)
    async with asyncio.TaskGroup() as group:
        while asked < count:
            now = time.monotonic()
            while asked < count and (due := started + asked / rate) <= now:
                group.create_task(send(asked, due))
                asked += 1
            await asyncio.sleep(max(0.0, started + asked / rate - time.monotonic()))
    return latencies


async def most(producer: AIOKafkaProducer, topic: str, size: int, seconds: float) -> tuple[int, float]:
    """Send as much as is acknowledged; return how many records that was, and the CPU seconds of it."""
    sent = 0

    async def call(until: float) -> None:
        nonlocal sent
        place = 0
        while time.monotonic() < until:
            chosen = [_RECORDS[(place + number) % len(_RECORDS)] for number in range(size)]
            await asyncio.gather(*[await producer.send(topic, value, key) for key, value in chosen])
            sent, place = sent + size, place + size

    await call(time.monotonic() + 0.5)
    sent, before = 0, time.process_time()
    await asyncio.gather(*[call(time.monotonic() + seconds) for _ in range(_CALLERS)])
    return sent, time.process_time() - before


async def _run(what: str, number: float, seconds: float) -> object:
    bootstrap, topic = os.environ["PLAIN_BOOTSTRAP"], os.environ["PLAIN_TOPIC"]
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        if what == "at":
            return await at(producer, topic, number, seconds)
        return await most(producer, topic, int(number), seconds)


def main() -> None:
    """Print what was found as JSON."""
    print(json.dumps(uvloop.run(_run(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))))


if __name__ == "__main__":
    main()
