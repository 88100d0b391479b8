"""A load generator that costs little: raw sockets, requests made beforehand, answers read no further than needed."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

WRITE_KEY = "bench"
_AUTHORIZATION = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
_CONTACTS = 2_000


class Tally(NamedTuple):
    """What came of a run: requests answered with 200, the others, and the seconds that it took."""

    accepted: int
    refused: int
    seconds: float


def call_of(number: int) -> dict[str, object]:
    """Return one call as a browser's library sends it (about 900 bytes)."""
    return {
        "timestamp": "2026-11-21T23:27:08.393Z",
        "integrations": {"Segment.io": True},
        "event": "Product Added",
        "type": "track",
        "properties": {
            "product_id": f"p{number % 50}",
            "name": "Iron kettle",
            "price": 7800,
            "quantity": 1,
            "currency": "JPY",
            "cart_id": f"k{number}",
        },
        "context": {
            "page": {
                "path": "/kettles/iron",
                "referrer": "https://shop.example/kettles",
                "search": "",
                "title": "Iron kettle",
                "url": "https://shop.example/kettles/iron",
            },
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
            "locale": "ja-JP",
            "library": {"name": "analytics.js", "version": "npm:next-1.84.3"},
            "timezone": "Asia/Tokyo",
        },
        "messageId": f"ajs-next-1795303628393-{number:08x}-0000-4000-8000",
        "userId": f"u{number * 7919 % _CONTACTS}",
        "anonymousId": f"{number:08x}-0000-4000-8000-000000000000",
        "sentAt": "2026-11-21T23:27:08.424Z",
    }


def single_requests(host: str, count: int = _CONTACTS) -> list[bytes]:
    """Return requests with one event each."""
    return [request_of(host, "/v1/track", call_of(number)) for number in range(count)]


def batch_requests(host: str, size: int, count: int = 40) -> list[bytes]:
    """Return requests with ``size`` events each."""
    return [
        request_of(host, "/v1/batch", {"batch": [call_of(start * size + number) for number in range(size)]})
        for start in range(count)
    ]


def request_of(host: str, path: str, body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {_AUTHORIZATION}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Line(asyncio.Protocol):
    """One kept-alive connection; ``answered`` is called with it and the status of each answer."""

    def __init__(self, answered: Callable[[Line, int], None]) -> None:
        self._answered = answered
        self._answer = b""
        self.transport: asyncio.Transport
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to ask."""
        # uvloop's is none by inheritance.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        answer = self._answer = self._answer + data
        head = answer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = answer.find(b"content-length: ") + 16
        if len(answer) < head + 4 + int(answer[at : answer.index(b"\r\n", at)]):
            return
        self._answer = b""
        self._answered(self, int(answer[9:12]))


async def closed_loop(host: str, requests: list[bytes], *, lines: int, seconds: float) -> Tally:
    """Ask over ``lines`` connections, each as soon as it has its answer, for ``seconds``."""
    loop = asyncio.get_running_loop()
    counts, place = {True: 0, False: 0}, 0
    end = time.monotonic() + seconds
    done = asyncio.Event()
    under_way = lines

    def answered(line: Line, status: int) -> None:
        nonlocal place, under_way
        counts[status == 200] += 1
        if time.monotonic() < end:
            place = (place + 1) % len(requests)
            line.transport.write(requests[place])
            return
        under_way -= 1
        line.transport.close()
        if under_way == 0:
            done.set()

    name, _, port = host.partition(":")
    opened = [await loop.create_connection(lambda: Line(answered), name, int(port)) for _ in range(lines)]
    started = time.monotonic()
    end = started + seconds
    for number, (transport, _) in enumerate(opened):
        transport.write(requests[number % len(requests)])
    await done.wait()
    return Tally(counts[True], counts[False], time.monotonic() - started)


async def open_loop(
    host: str, requests: list[bytes], *, rate: float, lines: int, seconds: float, begin: float | None = None
) -> list[float]:
    """Ask ``rate`` times a second whatever becomes of it; return the seconds from each one's due time to its answer.

    A request that finds no connection free waits for one, and its latency goes on counting. ``begin`` (monotonic) is
    when the first one is due; left out: at once.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    free: deque[Line] = deque()
    waiting: deque[tuple[float, bytes]] = deque()
    count = int(rate * seconds)

    def answered(line: Line, status: int) -> None:
        if status != 200:
            raise RuntimeError(f"a request was answered with {status}: the rate is more than it can take")
        latencies.append(time.monotonic() - line.due)
        if waiting:
            ask(line, *waiting.popleft())
        else:
            free.append(line)

    def ask(line: Line, due: float, request: bytes) -> None:
        line.due = due
        line.transport.write(request)

    name, _, port = host.partition(":")
    opened = [await loop.create_connection(lambda: Line(answered), name, int(port)) for _ in range(lines)]
    free.extend(line for _, line in opened)
    started = time.monotonic() + 0.1 if begin is None else begin
    asked = 0
    while asked < count:
        now = time.monotonic()
        while asked < count and (due := started + asked / rate) <= now:
            request = requests[asked % len(requests)]
            if free:
                ask(free.popleft(), due, request)
            else:
                waiting.append((due, request))
            asked += 1
        await asyncio.sleep(max(0.0, started + asked / rate - time.monotonic()))
    while len(latencies) < count:
        await asyncio.sleep(0.01)
    for transport, _ in opened:
        transport.close()
    return latencies
