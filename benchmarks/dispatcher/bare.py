"""P10's peers: signed webhooks from a plain httpx2 client, one at a time or with a pool, and nothing else.

``python -m benchmarks.dispatcher.bare URL COUNT WIDTH`` prints the CPU and the wall seconds that it took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

import httpx2
import msgspec
import uvloop
from standardwebhooks import Webhook

_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


async def post(url: str, count: int, width: int) -> None:
    """Post ``count`` signed webhooks to ``url``, ``width`` at once."""
    signer = Webhook(_SECRET)
    numbers = iter(range(count))

    async def work(client: httpx2.AsyncClient) -> None:
        for number in numbers:
            name, now = f"msg-{number}", datetime.now(UTC)
            body = msgspec.json.encode({"type": "message", "data": {"text": f"Iron kettle of Aki {number}"}}).decode()
            headers = {
                "content-type": "application/json",
                "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signer.sign(name, now, body),
            }
            answer = await client.post(url, content=body, headers=headers)
            answer.raise_for_status()

    limits = httpx2.Limits(max_connections=width, max_keepalive_connections=width)
    async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:
        await asyncio.gather(*[work(client) for _ in range(width)])


if __name__ == "__main__":
    target, messages, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    uvloop.run(post(target, 200, at_once))  # connects, compiles, fills caches
    cpu, clock = time.process_time(), time.monotonic()
    uvloop.run(post(target, messages, at_once))
    print(time.process_time() - cpu, time.monotonic() - clock)
