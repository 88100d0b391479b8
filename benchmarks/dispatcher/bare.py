"""P10's peers: signed webhooks from a plain client, one at a time or with a pool, and nothing else.

``python -m benchmarks.dispatcher.bare URL COUNT WIDTH CLIENT`` prints the CPU and the wall seconds that it took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import aiohttp
import httpx2
import msgspec
import uvloop
from standardwebhooks import Webhook

_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

Post = Callable[[str, str, Mapping[str, str]], Awaitable[None]]
"""Post a body with headers to a URL. Raises unless it was taken."""


async def by_httpx2(url: str, count: int, width: int) -> None:
    """Post with httpx2's client."""
    limits = httpx2.Limits(max_connections=width, max_keepalive_connections=width)
    async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:

        async def post(url: str, body: str, headers: Mapping[str, str]) -> None:
            answer = await client.post(url, content=body, headers=dict(headers))
            answer.raise_for_status()

        await _post_all(post, url, count, width)


async def by_aiohttp(url: str, count: int, width: int) -> None:
    """Post with aiohttp's client, the quickest one there is for Python that is widely used."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=width)) as client:

        async def post(url: str, body: str, headers: Mapping[str, str]) -> None:
            async with client.post(url, data=body, headers=headers) as answer:
                answer.raise_for_status()
                await answer.read()

        await _post_all(post, url, count, width)


CLIENTS = {"httpx2": by_httpx2, "aiohttp": by_aiohttp}


async def _post_all(post: Post, url: str, count: int, width: int) -> None:
    """Post ``count`` signed webhooks to ``url``, ``width`` at once."""
    signer = Webhook(_SECRET)
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            name, now = f"msg-{number}", datetime.now(UTC)
            body = msgspec.json.encode({"type": "message", "data": {"text": f"Iron kettle of Aki {number}"}}).decode()
            headers = {
                "content-type": "application/json",
                "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signer.sign(name, now, body),
            }
            await post(url, body, headers)

    await asyncio.gather(*[work() for _ in range(width)])


if __name__ == "__main__":
    target, messages, at_once, client = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), CLIENTS[sys.argv[4]]
    uvloop.run(client(target, 200, at_once))  # connects, compiles, fills caches
    cpu, clock = time.process_time(), time.monotonic()
    uvloop.run(client(target, messages, at_once))
    print(time.process_time() - cpu, time.monotonic() - clock)
