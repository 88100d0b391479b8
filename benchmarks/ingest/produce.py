"""``python -m benchmarks.ingest.produce RATE SECONDS``: the latencies of a bare acks=all produce, open loop, in ms."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop
from aiokafka import AIOKafkaProducer

from tests.load import call_of


async def produce(bootstrap: str, topic: str, rate: float, seconds: float) -> list[float]:
    """Send ``rate`` records a second, each alone; return the seconds from each due time to the acknowledgement."""
    records = [(f"u{number}".encode(), json.dumps(call_of(number)).encode()) for number in range(2_000)]
    latencies: list[float] = []
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:

        async def send(number: int, due: float) -> None:
            key, value = records[number % len(records)]
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


def main() -> None:
    """Print the latencies as JSON."""
    rate, seconds = float(sys.argv[1]), float(sys.argv[2])
    found = uvloop.run(produce(os.environ["PLAIN_BOOTSTRAP"], os.environ["PLAIN_TOPIC"], rate, seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
