"""A connection of ingest's, on a socket: what uvicorn alone would let a stranger do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.server import ServerState

from services.ingest.server import HEAD_BYTES, Connection, config_of

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer without a look at the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def connected(app: Any = echo) -> AsyncIterator[Streams]:
    """A connection to ``app``."""
    config = config_of(app, host="127.0.0.1", port=0, shutdown_seconds=1)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()
        server.close()


@pytest.mark.parametrize("more", [b"x" * (HEAD_BYTES + 1), b"\r\na: b" * (HEAD_BYTES // 6 + 1)], ids=["one", "many"])
async def test_a_head_without_end_is_refused(more: bytes) -> None:
    """The parser would keep a header of any length, and any number of them."""
    async with connected() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\na: ")
        assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 ")
        writer.write(more)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        assert (await reader.read()).endswith(b"The head of the request is too large.")


async def test_many_requests_at_once_are_many_heads() -> None:
    async with connected() as (reader, writer):
        count = 1_000
        writer.write(b"GET / HTTP/1.1\r\na: " + b"x" * 100 + b"\r\n\r\n")
        writer.write((b"GET / HTTP/1.1\r\na: " + b"x" * 100 + b"\r\n\r\n") * (count - 1))
        for _ in range(count):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert b"0" == await reader.readexactly(1)


async def test_a_body_is_no_head_and_each_request_has_its_own() -> None:
    async with connected() as (reader, writer):
        for _ in range(3):
            head = b"POST / HTTP/1.1\r\na: " + b"x" * (HEAD_BYTES // 2)
            writer.write(head + b"\r\ncontent-length: 200000\r\n\r\n" + b"x" * 200_000)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert b"200000" == await reader.readexactly(6)


async def test_what_still_comes_of_a_refused_body_is_let_in_slowly() -> None:
    """The client reads why, and goes on; at full speed, its 100 MB would take the time of everybody else."""
    size = 4_000_000
    async with connected(refuse) as (reader, writer):
        loop = asyncio.get_running_loop()
        writer.write(b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        began = loop.time()
        writer.write(b"x" * size)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
        # A read is 256 kB at most, and each but the last is followed by a pause of 10 ms.
        assert loop.time() - began > 0.01 * (size // 262_144 - 1)
