"""uvicorn, with what a service in front of strangers needs besides: slow senders let go, and a shutdown in order."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from services.ingest.exchange import EXCHANGE

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

HEAD_SECONDS = 10.0
"""How long the head of a request may take to arrive, from the connection or from its first byte on."""


HEAD_BYTES = 64 * 1024
"""How large it may be: the parser keeps all of it and knows no limit. No library's is larger than a few kB."""

_PAUSE = 0.01
"""Seconds between two reads of a body that is answered already: 25 MB a second, and the others hardly notice."""

_TICK = 0.1
"""Seconds between two of uvicorn's looks at whether to end."""


Take = Callable[[Any, bytearray, Callable[[int, Iterable[tuple[bytes, bytes]], bytes], None]], bool]
"""Takes a request past ASGI, of its scope and its whole body; False: it has to go the usual way."""


class Exchange:
    """A request and its answer past ASGI: the body if it is here whole, and the answer in one write (``direct``).

    What it touches of uvicorn is what ``RequestResponseCycle.receive`` and ``send`` do (uvicorn is pinned).
    """

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def take(self) -> bytes | None:
        """Return the body, once, if all of it has arrived; None: it has to be received."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.response_complete:
            return None
        body = bytes(cycle.body)
        cycle.body = bytearray()
        return body

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """Answer; tell whether that was possible. Nobody looks at ``headers`` again: they are our own."""
        cycle = self._cycle
        if not cycle.disconnected and (cycle.response_started or cycle.flow.write_paused):
            return False
        self.reply(status, headers, body)
        return True

    def reply(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer, once. A client that is slow to read gets it as well: it is one write, and nothing follows it."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        parts = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        cycle.message_event.set()
        cycle.transport.write(b"".join(parts))
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


class Connection(HttpToolsProtocol):
    """One client's connection, closed when a request's head does not arrive in time or is too large.

    A request is begun when all has been looked at that arrived with its head: mostly it is there whole by then, and the
    application may take it at once (``Application.express``).
    """

    _due: tuple[RequestResponseCycle, ASGI3Application] | None = None
    _receiving = False
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes: int | None = None
    """Of a head that is not whole yet, those read since it began; None: of a body, or between two requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; between two requests, what has begun must come to the end of its head in time."""
        began = self._head_bytes is None
        self._receiving = True
        super().data_received(data)
        self._receiving = False
        self._begin()
        if self._head_bytes is not None and not began:
            # What came with its first byte is not counted: the end of another request may be in it.
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._head_bytes = None
                self.send_400_response("The head of the request is too large.")
                return
        # uvicorn declares a cycle even before there is one.
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            if self._deadline is None:
                self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body. What still comes of one that is refused is let in slowly, and then forgotten.

        Closing instead would reset the connection before the client, which still sends, has read why.
        """
        if self.cycle.response_complete and not self.flow.read_paused:
            self.flow.pause_reading()
            self.loop.call_later(_PAUSE, self._read_on)
        super().on_body(body)

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def on_headers_complete(self) -> None:
        """Count no more: what comes now is the body."""
        self._head_bytes = None
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin to answer a request soon."""
        self._due = cycle, app
        if not self._receiving:
            # It waited for the one before it. A thousand that came at once are not all answered in one turn.
            self.loop.call_soon(self._begin)

    def _begin(self) -> None:
        if self._due is None:
            return
        (cycle, app), self._due = self._due, None
        if not cycle.more_body and not self.flow.write_paused:
            take: Take | None = getattr(app, "express", None)
            if take is not None and take(cycle.scope, cycle.body, Exchange(cycle).reply):
                return
        scope: dict[str, Any] = cast("dict[str, Any]", cycle.scope)
        # Weakly, for the cycle has the scope: else each request would be garbage that has to be looked for.
        scope["extensions"] = {EXCHANGE: Exchange(weakref.proxy(cycle))}
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """Ends in order: first ``draining`` is true, and only ``delay`` seconds later new connections are refused.

    In between, load balancers that ask /readyz stop sending. A second signal ends the wait.
    """

    def __init__(self, config: uvicorn.Config, *, delay: float) -> None:
        super().__init__(config)
        self._delay = delay
        self.draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the handler of SIGTERM and SIGINT."""
        if self.draining or self._delay == 0:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to end; asked ten times a second."""
        if self.draining:
            self._delay -= _TICK
            self.should_exit = self.should_exit or self._delay <= 0
        return await super().on_tick(counter)


def config_of(app: Any, *, host: str, port: int, shutdown_seconds: int) -> uvicorn.Config:
    """Return uvicorn's settings for ``app``."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom to believe about the client's address is ours to say (client_address.py).
        proxy_headers=False,
        timeout_graceful_shutdown=shutdown_seconds,
    )
