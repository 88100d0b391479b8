"""``python -m tests.integration.hostile_sender URL SECONDS``: sends what nobody should, over and over.

A process of its own, so that what it costs to send is no part of what the others notice. Prints ``ready`` when it
begins, and in the end how often each was refused.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from functools import cache

import httpx2

MB = 1024 * 1024


@cache
def hostile() -> dict[str, tuple[bytes, set[int]]]:
    """Return what nobody should send, and how it may be answered."""
    deep = b'{"userId": "u1", "event": "X", "properties": {"a": ' + b"[" * 1000 + b"]" * 1000 + b"}}"
    return {
        "a body of 100 MB": (b'{"a": "' + b"x" * (100 * MB) + b'"}', {413}),
        "a batch of 100,000 items": (b'{"batch": [' + b"{}," * 99_999 + b"{}]}", {413}),
        "1,000 levels": (deep, {400}),
        "a bomb": (gzip.compress(b"0" * (200 * MB), compresslevel=1), {413}),
    }


async def attack(url: str, seconds: float) -> dict[str, int]:
    """Send all of it for so long, and see that each is refused as it should be."""
    refused = dict.fromkeys(hostile(), 0)
    print("ready", flush=True)
    until = time.monotonic() + seconds
    async with httpx2.AsyncClient(base_url=url, auth=("WK", ""), timeout=30) as http:
        while time.monotonic() < until:
            for name, (body, expected) in hostile().items():
                path = "/v1/track" if name == "1,000 levels" else "/v1/batch"
                answer = await http.post(path, content=body)
                assert answer.status_code in expected, (name, answer.status_code, answer.text)
                assert {"success", "code", "message", "detail"} == set(answer.json())
                refused[name] += 1
                await asyncio.sleep(0.05)
    return refused


if __name__ == "__main__":
    print(json.dumps(asyncio.run(attack(sys.argv[1], float(sys.argv[2])))))
