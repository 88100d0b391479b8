"""Whoever sends much holds nobody up: between two pieces of its work, others have their turn.

Judged by the CPU time of the longest step of the loop, which other work on the machine does not lengthen much.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from services.ingest.app import create_app
from services.ingest.keys import plain_keys
from tests.fakes import RecordingPublisher
from tests.load import call_of
from tests.unit.ingest.sites import always_ready

MB = 1024 * 1024
CHUNK = 64 * 1024
LONGEST = 0.06
"""Seconds. Measured were 0.3 to 18 ms, on two cores with a load of 12."""


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """What is there by now stays, as in ``__main__``: no collection looks through all of pytest's objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def longest_step(path: str, raw: bytes) -> tuple[int, float]:
    """Return the status of the answer, and the CPU seconds of the longest step on the way to it."""
    app = create_app(publisher=RecordingPublisher(), keys=plain_keys(["WK"]), ready=always_ready)
    sent: list[Any] = []
    chunks = [raw[start : start + CHUNK] for start in range(0, len(raw), CHUNK)]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"x-write-key", b"WK")],
        "client": None,
    }
    request = asyncio.create_task(app(scope, receive, send))
    longest, before = 0.0, time.thread_time()
    while not request.done():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    await request
    return sent[0]["status"], longest


def of_many(event: object, size: int) -> bytes:
    """Return a batch of so many equal events."""
    return b'{"batch": [' + b",".join([orjson.dumps(event)] * size) + b"]}"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(of_many(call_of(1), 2_500), 200, id="as many events as may be"),
        pytest.param(of_many(call_of(1), 10_000), 413, id="many events"),
        pytest.param(of_many({}, 100_000), 413, id="100,000 empty ones"),
        pytest.param(of_many({}, 2_700_000), 413, id="2,700,000 empty ones"),
        pytest.param(of_many({"event": "X"}, 2_500), 200, id="nothing but refusals"),
        pytest.param(gzip.compress(b"0" * (200 * MB), compresslevel=1), 413, id="a bomb"),
        pytest.param(b'{"a": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400, id="1,000 levels"),
    ],
)
async def test_no_step_is_long(raw: bytes, status: int) -> None:
    await longest_step("/v1/batch", raw)
    answered, longest = await longest_step("/v1/batch", raw)
    print(f"{answered} {1000 * longest:.1f} ms")
    assert status == answered
    assert longest < LONGEST


COUNT = 2_400
LONG = call_of(1) | {"integrations": {"Braze": "x" * 2_400}}
POSTHOG = {"event": "X", "distinct_id": "u1", "properties": {f"p{number}": "x" * 55 for number in range(48)}}


@pytest.mark.parametrize(
    ("path", "raw", "status"),
    [
        ("/batch/", of_many(POSTHOG, COUNT), 200),
        ("/batch/", of_many(POSTHOG, COUNT).replace(b"{", b'{"api_key": "WK", ', 1), 200),
        ("/e/", of_many(POSTHOG, COUNT).removeprefix(b'{"batch": ')[:-1], 200),
        ("/i/v1/analytics/events", of_many(POSTHOG, COUNT), 200),
        ("/api/s/s2s/batch", of_many(LONG, COUNT), 200),
        ("/v1/batch", of_many(LONG, COUNT).replace(b"{", b'{"context": {"x": 1}, ', 1), 200),
    ],
    ids=["PostHog's", "with the key in the body", "a list", "with a verdict on each", "Jitsu's", "with a context"],
)
async def test_no_format_takes_long_over_a_large_body(path: str, raw: bytes, status: int) -> None:
    assert 7 * MB < len(raw) < 8 * MB
    await longest_step(path, raw)
    answered, longest = await longest_step(path, raw)
    print(f"{answered} {1000 * longest:.1f} ms")
    assert status == answered
    assert longest < LONGEST
