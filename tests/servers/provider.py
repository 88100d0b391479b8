"""A provider's HTTP API on loopback, with scripted trouble: what it accepted is what it has, whatever it answered.

A face (``tests/providers/``) says how that provider answers, and which header or field is its idempotency key.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from tests.servers.process import HOST

Trouble = Literal["hang", "reset", "accept_then_hang", "accept_then_reset", "slow", "late"]
LATE = 0.5
"""Seconds until one that is ``late`` answers."""


@dataclass(frozen=True)
class Asked:
    """One request. ``headers`` have lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Face:
    """How one provider behaves. ``accept`` answers a request that is in order; ``key`` reads its idempotency key.

    ``repeated`` answers a key that was accepted before; without one, each request is a message of its own. ``aside``
    answers what is no message (a token is asked for), whatever the script says; None: it is one.
    """

    accept: Callable[[Asked, int], Reply]
    key: Callable[[Asked], str | None] = lambda _: None
    repeated: Callable[[Asked], Reply] | None = None
    aside: Callable[[Asked], Reply | None] = lambda _: None


class ProviderServer:
    """Serves one face. ``accepted`` are the messages that it has, ``asked`` all requests, troubled ones included."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._script: deque[Trouble | Reply] = deque()
        self._always: Trouble | Reply | None = None
        self._keys: set[str] = set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._released = asyncio.Event()
        self.accepted: list[Asked] = []
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        """The API's base."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def script(self, *steps: Trouble | Reply) -> None:
        """Do ``steps`` with the next requests, one each; a ``Reply`` is a refusal: its message is not accepted."""
        self._script += steps

    def always(self, step: Trouble | Reply | None) -> None:
        """Do ``step`` with every request from now on for which there is no script; None: be well again."""
        self._always = step

    def release(self) -> None:
        """Let what is ``slow`` go on."""
        self._released.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (asked := await _read(reader)) is not None:
                if (aside := self._face.aside(asked)) is not None:
                    _write(writer, aside)
                    continue
                self.asked.append(asked)
                step = self._script.popleft() if self._script else self._always
                if isinstance(step, Reply):
                    _write(writer, step)
                    continue
                if step == "slow":
                    await self._released.wait()
                if step == "late":
                    await asyncio.sleep(LATE)
                reply = Reply() if step in ("hang", "reset") else self._take(asked)
                if step in ("reset", "accept_then_reset"):
                    writer.transport.abort()
                    return
                if step in ("hang", "accept_then_hang"):
                    await asyncio.Event().wait()
                _write(writer, reply)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    def _take(self, asked: Asked) -> Reply:
        key = self._face.key(asked)
        if key is not None and key in self._keys and self._face.repeated is not None:
            return self._face.repeated(asked)
        reply = self._face.accept(asked, len(self.accepted) + 1)
        if 200 <= reply.status < 300:
            self.accepted.append(asked)
            if key is not None:
                self._keys.add(key)
        return reply


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


def _write(writer: asyncio.StreamWriter, reply: Reply) -> None:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body)
