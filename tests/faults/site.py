"""A site's server: posts events to a real ingest in batches, each until it is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx2

from shared.clock import to_iso
from shared.messages.event import Event
from tests.e2e.processes import Process, service

_WRITE_KEY = "wk_faults"


class Site:
    """One ingest, and the client that posts to it. A repeat carries the same messageIds, so it is no second event.

    ``refused`` counts the answers that were no 200; any but a 503 with Retry-After is an error.
    """

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self.process: Process = service("ingest", {**env, "KIKKAKE_WRITE_KEYS": _WRITE_KEY}, folder)
        self.refused = 0

    async def start(self) -> None:
        """Start ingest and wait until it serves."""
        self.process.start()
        await asyncio.to_thread(self.process.ready)

    async def kill(self) -> None:
        """Kill -9, and start it again."""
        self.process.kill()
        self.process.start()

    async def post(self, events: Sequence[Event]) -> None:
        """Return once all are accepted."""
        body = {"batch": [_call(event) for event in events]}
        url = f"http://127.0.0.1:{self.process.port}/v1/batch"
        async with httpx2.AsyncClient(auth=(_WRITE_KEY, ""), timeout=10) as http:
            while True:
                try:
                    answer = await http.post(url, json=body)
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code == 200:
                    assert "errors" not in answer.json(), answer.text
                    return
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0, "a 503 says when to come again"
                self.refused += 1
                await asyncio.sleep(0.2)


def _call(event: Event) -> dict[str, object]:
    said: dict[str, object] = {
        "messageId": event.message_id,
        "userId": event.user_id,
        "type": event.type,
        "timestamp": to_iso(event.timestamp),
    }
    match event.type:
        case "identify":
            said |= {"traits": event.traits}
        case "consent":
            said |= event.properties
        case _:
            said |= {"event": event.name, "properties": event.properties}
    return said
