"""The proxy that the fault tests put into the wire: each trouble is what its name says, and ends."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.servers.process import HOST
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.integration


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.server.heard.append(data)  # type: ignore[attr-defined]
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Echo)
        self.heard: list[bytes] = []


@pytest.fixture
def echo() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(echo: _Server) -> Iterator[Proxy]:
    with Proxy(echo.server_address[1]) as proxy:
        yield proxy


def _connect(proxy: Proxy, patience: float = 10) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=patience)


def _answer(link: socket.socket, said: bytes) -> bytes:
    link.sendall(said)
    return link.recv(1024)


def _is_reset(link: socket.socket) -> bool:
    """Tell whether the connection is over: a reset, a broken pipe or an end, as the kernel has it."""
    try:
        return b"" == _answer(link, b"more")
    except ConnectionError:
        return True


def _hears(echo: _Server, said: bytes) -> bool:
    deadline = time.monotonic() + 5
    while said not in echo.heard and time.monotonic() < deadline:
        time.sleep(0.01)
    return said in echo.heard


def test_it_passes_everything(proxy: Proxy) -> None:
    with _connect(proxy) as link:
        assert b"hello" == _answer(link, b"hello")


def test_a_delay_holds_in_both_directions(proxy: Proxy) -> None:
    proxy.delay(0.2)
    with _connect(proxy) as link:
        begun = time.monotonic()
        assert b"late" == _answer(link, b"late")
        assert time.monotonic() - begun >= 0.4


def test_a_cut_resets_what_is_open_and_what_comes(proxy: Proxy) -> None:
    with _connect(proxy) as link:
        assert b"before" == _answer(link, b"before")
        proxy.cut()
        assert _is_reset(link)
    with _connect(proxy) as link:
        assert _is_reset(link)
    proxy.behave()
    with _connect(proxy) as link:
        assert b"now" == _answer(link, b"now")


def test_half_open_swallows_the_answers_alone(proxy: Proxy, echo: _Server) -> None:
    with _connect(proxy, 0.3) as link:
        assert b"before" == _answer(link, b"before")
        proxy.half_open()
        with pytest.raises(TimeoutError):
            _answer(link, b"unanswered")
        assert _hears(echo, b"unanswered")


def test_a_black_hole_swallows_everything_and_accepts(proxy: Proxy, echo: _Server) -> None:
    proxy.black_hole()
    with _connect(proxy, 0.3) as link, pytest.raises(TimeoutError):
        _answer(link, b"lost")
    assert b"lost" not in echo.heard
    proxy.behave()
    with _connect(proxy) as link:
        assert b"found" == _answer(link, b"found")


def test_connections_that_lost_something_are_reset_when_it_behaves(proxy: Proxy) -> None:
    with _connect(proxy, 0.3) as link:
        proxy.black_hole()
        with pytest.raises(TimeoutError):
            _answer(link, b"lost")
        proxy.behave()
        link.settimeout(10)
        assert _is_reset(link)
