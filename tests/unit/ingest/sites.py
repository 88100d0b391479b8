"""The ingest application with all that it writes to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from starlette.testclient import TestClient

from services.ingest.app import create_app
from services.ingest.keys import KeyRing, plain_keys
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Event
from shared.metrics import Metrics
from tests.fakes import FakeClock, RecordingPublisher

NOW = 1_772_445_600_000
WK = ("WK", "")
ADMIN = "an-admin-token-of-32-characters"


async def always_ready() -> bool:
    return True


class Site:
    """The application and all that it writes to."""

    def __init__(
        self,
        *,
        keys: KeyRing | None = None,
        ready: Callable[[], Awaitable[bool]] = always_ready,
        admin_token: str | None = ADMIN,
        **more: Any,
    ) -> None:
        self.publisher = RecordingPublisher()
        self.metrics = Metrics()
        self.clock = FakeClock(NOW)
        self.ticks = FakeClock(0)
        self.ids = 0
        self.http = TestClient(
            create_app(
                publisher=self.publisher,
                keys=keys or plain_keys(["WK"]),
                admin_token=admin_token,
                clock=self.clock,
                ready=ready,
                metrics=self.metrics,
                new_message_id=self._new_id,
                machine_clock=self.clock,
                ticks=self.ticks,
                **more,
            ),
            raise_server_exceptions=False,
        )

    def _new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    def post(self, path: str, body: object, **more: Any) -> httpx2.Response:
        return self.http.post(path, content=json.dumps(body), **{"auth": WK, **more})

    @property
    def events(self) -> list[Event]:
        values = [output.value for output in self.publisher.outputs if output.topic == "events"]
        found = [codec.EVENTS.decode(value) for value in values]
        return [event for event in found if isinstance(event, Event)]

    @property
    def letters(self) -> list[DeadLetter]:
        values = [output.value for output in self.publisher.outputs if output.topic == "events.dlq"]
        return [codec.DEAD_LETTERS.decode(value) for value in values]

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"kikkake_{name}", labels) or 0.0


def a_track(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "X", "userId": "u1", **fields}
