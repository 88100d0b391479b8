"""A real SMTP server for the demo: takes every message and keeps its envelope."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiosmtpd.smtp import SMTP


class DemoSmtp:
    """What the server took."""

    def __init__(self) -> None:
        self.recipients: list[str] = []
        self.url = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the message."""
        self.recipients.extend(envelope.rcpt_tos)
        return f"250 2.0.0 queued as D{len(self.recipients):06}"


@contextlib.asynccontextmanager
async def smtp_server() -> AsyncIterator[DemoSmtp]:
    """Listen on a free loopback port for the length of the block."""
    kept = DemoSmtp()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(kept, hostname="localhost"), "127.0.0.1", 0)
    kept.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield kept
