"""The socket that the standalone host serves on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from services.standalone.app import listen
from shared.errors import ConfigurationError


async def test_answers_do_not_wait_for_delayed_acknowledgements() -> None:
    """An answer is written as head and body; with Nagle's algorithm the body waits 40 ms for the client's ACK."""
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own: socket.socket = writer.get_extra_info("socket")
        accepted.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = listen("127.0.0.1", 0)
    async with await asyncio.start_server(serve, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert 0 != await accepted
        writer.close()


def test_a_port_in_use_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot serve on 127.0.0.1:{port}: .*; name another with --port"):
            listen("127.0.0.1", port)
