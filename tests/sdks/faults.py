"""A reverse proxy in front of the real ingest that answers some requests itself, or cuts them off, as told."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple, Self

import httpx2

from services.ingest.errors import error_body
from tests.servers.process import HOST

Fault = int | Literal["cut"]
"""A status to answer with instead of the ingest; or ``cut``: let it accept, and reset the connection in its place."""

_OURS = frozenset({"host", "connection", "transfer-encoding", "content-length", "accept-encoding"})
_LINGER_NONE = struct.pack("ii", 1, 0)


class Seen(NamedTuple):
    """One request that carried events: when it came (seconds), its path and headers, and what was answered."""

    at: float
    path: str
    headers: Mapping[str, str]
    answer: Fault


class FaultyProxy:
    """Passes everything to ``target``, but for the next requests that carry events: those meet the ``faults`` in turn.

    An answer of the proxy's own has the headers for browsers that the ingest gives, and ``Retry-After`` when
    ``retry_after`` (seconds) is set.
    """

    def __init__(self, target: str) -> None:
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.retry_after: int | None = None
        self._http = httpx2.Client(base_url=target, timeout=30)
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}"

    def fail(self, *faults: Fault, retry_after: int | None = None) -> None:
        """Let the next requests that carry events meet ``faults``, and forget what was seen."""
        self.faults.clear()
        self.faults.extend(faults)
        self.retry_after = retry_after
        self.seen.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy._pass(self)

            def do_OPTIONS(self) -> None:
                proxy._pass(self)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path.startswith("/flags"):  # PostHog's question for feature flags carries no events
                    return proxy._pass(self, body)
                fault = proxy.faults.popleft() if proxy.faults else 200
                proxy.seen.append(Seen(time.monotonic(), self.path, dict(self.headers.items()), fault))
                if fault == 200:
                    proxy._pass(self, body)
                elif fault == "cut":
                    proxy._cut(self, body)
                else:
                    proxy._refuse(self, fault)
                return None

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
                pass

        return Handler

    def _pass(self, handler: BaseHTTPRequestHandler, body: bytes = b"") -> None:
        answer = self._ask(handler, body)
        _answer(handler, answer.status_code, dict(answer.headers), answer.content)

    def _cut(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        answer = self._ask(handler, body)
        assert answer.status_code == 200, f"not accepted: {answer.status_code} {answer.text}"
        # Reset, not closed: the client must not take an empty answer for one.
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        handler.connection.close()
        handler.close_connection = True

    def _refuse(self, handler: BaseHTTPRequestHandler, status: int) -> None:
        origin = handler.headers.get("origin")
        allowed = self._http.get("/livez", headers={} if origin is None else {"origin": origin}).headers
        headers = {name: value for name, value in allowed.items() if name.startswith("access-control-")}
        headers["content-type"] = "application/json"
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        _answer(handler, status, headers, json.dumps(error_body("injected", "the test says so")).encode())

    def _ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> httpx2.Response:
        headers = [(name, value) for name, value in handler.headers.items() if name.lower() not in _OURS]
        return self._http.request(handler.command, handler.path, headers=headers, content=body)


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes) -> None:
    handler.send_response_only(status)
    for name, value in headers.items():
        if name.lower() not in _OURS:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
