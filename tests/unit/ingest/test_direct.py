"""The short way past ASGI's messages: on the wire nobody can tell it from the long one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from services.ingest.app import create_app
from services.ingest.keys import plain_keys
from services.ingest.server import Connection, config_of
from tests.fakes import OfferingRecorder, RecordingPublisher
from tests.unit.ingest.sites import always_ready

BODY = b'{"event": "X", "userId": "u1"}'
HEAD = f"POST /v1/track HTTP/1.1\r\nX-Write-Key: WK\r\nContent-Length: {len(BODY)}\r\n".encode()


class Browserless:
    """A client of ingest on a socket, and what it has written to the log."""

    def __init__(
        self, publisher: RecordingPublisher, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.publisher = publisher
        self.reader, self.writer = reader, writer

    def ask(self, *headers: str, body: bytes = BODY, key: str = "WK", path: str = "/v1/track") -> None:
        head = [f"POST {path} HTTP/1.1", "Host: x", f"X-Write-Key: {key}", f"Content-Length: {len(body)}", *headers]
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        """Return the status line, the headers and the body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:-2])
        return head[0], headers, await self.reader.readexactly(int(headers["content-length"]))


PUBLISHERS = [RecordingPublisher, OfferingRecorder]
"""The way with tasks and coroutines, and the way past them: a publisher that takes no offers keeps to the first."""

Client = Callable[[], AbstractAsyncContextManager[Browserless]]


@pytest.fixture(params=PUBLISHERS)
def client(request: pytest.FixtureRequest) -> Client:
    return lambda: connected(request.param())


@asynccontextmanager
async def connected(publisher: RecordingPublisher) -> AsyncIterator[Browserless]:
    app = create_app(publisher=publisher, keys=plain_keys(["WK"]), ready=always_ready)
    config = config_of(app, host="127.0.0.1", port=0, shutdown_seconds=1)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    server = await asyncio.get_running_loop().create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
    made = Browserless(publisher, *await asyncio.open_connection(*server.sockets[0].getsockname()))
    try:
        async with asyncio.timeout(10):
            yield made
    finally:
        made.writer.close()
        server.close()


async def test_the_answer_has_what_any_answer_has(client: Client) -> None:
    """Those who send an origin get theirs by ASGI's messages, all others by one write: the same but for CORS."""
    async with client() as http:
        http.ask()
        short = await http.answer()
        http.ask("Origin: https://shop.example")
        line, headers, body = await http.answer()
    assert ("HTTP/1.1 200 OK", {"date": "today", "content-length": "17", "content-type": "application/json"}) == short[
        :2
    ]
    assert ("HTTP/1.1 200 OK", b'{"success": true}') == (short[0], short[2]) == (line, body)
    assert short[1].items() <= headers.items()
    assert "https://shop.example" == headers["access-control-allow-origin"]


async def test_a_refusal_comes_with_its_headers_and_the_connection_goes_on(client: Client) -> None:
    async with client() as http:
        http.ask(key="another")
        line, _, body = await http.answer()
        assert ("HTTP/1.1 401 Unauthorized", True) == (line, b"invalid_write_key" in body)
        http.ask()
        assert "HTTP/1.1 200 OK" == (await http.answer())[0]


async def test_requests_sent_at_once_are_answered_in_their_order(client: Client) -> None:
    async with client() as http:
        for key in ("WK", "another", "WK"):
            http.ask(key=key)
        assert ["200", "401", "200"] == [(await http.answer())[0].split()[1] for _ in range(3)]
    assert 2 == len(http.publisher.outputs)


@pytest.mark.parametrize("cut", [1, len(BODY) - 1])
async def test_a_body_that_comes_in_parts_is_waited_for(client: Client, cut: int) -> None:
    async with client() as http:
        http.ask()
        await http.answer()
        http.writer.write(HEAD + b"\r\n" + BODY[:cut])
        await http.writer.drain()
        for _ in range(5):
            await asyncio.sleep(0)
        assert 1 == len(http.publisher.outputs)
        http.writer.write(BODY[cut:])
        assert "HTTP/1.1 200 OK" == (await http.answer())[0]
    assert 2 == len(http.publisher.outputs)


async def test_who_waits_to_be_told_to_send_the_body_is_told(client: Client) -> None:
    async with client() as http:
        http.writer.write(HEAD + b"Expect: 100-continue\r\n\r\n")
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await http.reader.readuntil(b"\r\n\r\n")
        http.writer.write(BODY)
        assert "HTTP/1.1 200 OK" == (await http.answer())[0]


async def test_a_client_that_wants_its_connection_closed_has_it_closed(client: Client) -> None:
    async with client() as http:
        http.ask("Connection: close")
        assert "close" == (await http.answer())[1]["connection"]
        assert b"" == await http.reader.read()


@pytest.mark.parametrize("origin", [[], ["Origin: https://shop.example"]], ids=["server", "page"])
async def test_a_request_that_is_over_is_no_garbage(client: Client, origin: list[str]) -> None:
    """What only a collection finds makes it stop everybody for milliseconds, again and again."""
    async with client() as http:
        gc.collect()
        gc.disable()
        try:
            before = cycles()
            for _ in range(20):
                http.ask(*origin)
                await http.answer()
            # The connection has its last one, and a task that ends has another.
            assert cycles() <= before + 2
        finally:
            gc.enable()


def cycles() -> int:
    return sum(type(found) is RequestResponseCycle for found in gc.get_objects())
