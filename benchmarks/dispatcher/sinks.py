"""Providers that take everything at once, as cheaply as Python can: SMTP, HTTP, and one that never answers.

``python -m benchmarks.dispatcher.sinks`` prints its ports (SMTP, HTTP, HTTP after 20 ms, the hanging one) and then, for
each line on standard input, one line: to ``count`` how many messages SMTP and HTTP have taken so far, to ``arrivals``
the subjects of the mails since it was last asked, each with the monotonic time at which it had been taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import ClassVar

import uvloop

HOST = "127.0.0.1"
_SAID = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221\r\n",
}
_OK = b"250 2.0.0 queued\r\n"
LATE = 0.02
"""Seconds until the later HTTP answers."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Smtp(asyncio.Protocol):
    """One SMTP session that takes every message."""

    taken = 0
    arrivals: ClassVar[dict[str, float]] = {}

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._rest = b""
        self._data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = transport  # type: ignore[assignment]
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each command, and each message once its final dot is there."""
        self._rest += data
        answers = []
        while True:
            if self._data:
                end = 0 if self._rest.startswith(b".\r\n") else self._rest.find(b"\r\n.\r\n") + 2
                if end < 2 and not self._rest.startswith(b".\r\n"):
                    break
                self._note(self._rest[:end])
                self._rest = self._rest[end + 3 :]
                self._data = False
                Smtp.taken += 1
                answers.append(_OK)
                continue
            line, found, rest = self._rest.partition(b"\r\n")
            if not found:
                break
            self._rest = rest
            verb = line[:4].upper()
            self._data = verb == b"DATA"
            answers.append(_SAID.get(verb, _OK))
        if answers:
            self._transport.write(b"".join(answers))

    def _note(self, mail: bytes) -> None:
        at = mail.find(b"Subject: ") + 9
        Smtp.arrivals[mail[at : mail.index(b"\r\n", at)].decode()] = time.monotonic()


class Http(asyncio.Protocol):
    """One connection that answers 200 to every request with a Content-Length."""

    taken = 0

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._rest += data
        while (head := self._rest.find(b"\r\n\r\n")) >= 0:
            at = self._rest.lower().find(b"content-length:", 0, head)
            length = 0 if at < 0 else int(self._rest[at + 15 : self._rest.index(b"\r\n", at)])
            if len(self._rest) < head + 4 + length:
                return
            self._rest = self._rest[head + 4 + length :]
            Http.taken += 1
            self._answer()

    def _answer(self) -> None:
        self._transport.write(_ANSWER)


class LateHttp(Http):
    """The same, as far away as a provider on the same continent."""

    def _answer(self) -> None:
        asyncio.get_running_loop().call_later(LATE, self._answer_if_open)

    def _answer_if_open(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


class Hang(asyncio.Protocol):
    """One connection that is taken and never answered."""


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(kind, HOST, 0) for kind in (Smtp, Http, LateHttp, Hang)]
    print(*[server.sockets[0].getsockname()[1] for server in servers], flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while asked := await reader.readline():
        if asked == b"arrivals\n":
            print(json.dumps(Smtp.arrivals), flush=True)
            Smtp.arrivals.clear()
        else:
            print(Smtp.taken, Http.taken, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve())
