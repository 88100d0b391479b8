"""Requests past tasks and coroutines: nobody can tell it, neither by the answer nor by the log nor by the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response
from uvicorn.server import ServerState

from services.ingest.app import create_app
from services.ingest.gate import Bounds
from services.ingest.keys import KeyRing, Keys, Source, WriteKey
from services.ingest.limits import Limits
from services.ingest.rates import Rate
from services.ingest.server import Connection, config_of
from shared.log import Output
from shared.metrics import Metrics
from tests.fakes import FakeClock, OfferingRecorder, RecordingPublisher
from tests.unit.ingest.sites import NOW, a_track, always_ready

KEYS = {
    "WK": Source(name="server"),
    "app": Source(name="app", side="client"),
    "slow": Source(name="slow", rate=Rate(per_second=1, burst=1)),
    "small": Source(name="small", limits=Limits(body_bytes=40)),
}
BATCH = {"batch": [a_track(messageId=f"m{number}") for number in range(3)]}


class Declining(RecordingPublisher):
    """Takes offers, but none of those that are made."""

    def offer(self, _outputs: object, _answered: object) -> bool:
        return False


async def told(publisher: RecordingPublisher, requests: list[bytes], **more: Any) -> tuple[bytes, list[Output], object]:
    """Return all that comes of ``requests``, sent one after another: answers, records and metrics."""
    metrics, clock = Metrics(), FakeClock(NOW)
    ids = iter(range(1_000_000))
    app = create_app(
        publisher=publisher,
        keys=KeyRing(Keys(write_keys={key: WriteKey(source=source) for key, source in KEYS.items()})),
        ready=always_ready,
        clock=clock,
        machine_clock=clock,
        ticks=clock,
        metrics=metrics,
        new_message_id=lambda: f"new-{next(ids)}",
        **more,
    )
    config = config_of(app, host="127.0.0.1", port=0, shutdown_seconds=1)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config, ServerState(), {}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    answers = b""
    async with asyncio.timeout(10):
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            answers += head + await reader.readexactly(size)
    writer.close()
    server.close()
    samples = {
        (sample.name, *sample.labels.items()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    return answers, publisher.outputs, samples


def asked(body: object, *headers: str, path: str = "/v1/track", key: str = "WK") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"Content-Length: {len(raw)}", *([f"X-Write-Key: {key}"] if key else []), *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + raw


REQUESTS = {
    "a plain call": [asked(a_track())],
    "one with an id": [asked(a_track(messageId="m1", properties={"price": 5}))],
    "a batch": [asked(BATCH, path="/v1/batch")],
    "a batch, partly refused": [asked({"batch": [a_track(), {"type": "track"}, a_track()]}, path="/v1/batch")],
    "an empty batch": [asked({"batch": []}, path="/v1/batch")],
    "more events than a turn has": [asked({"batch": [{"event": "X"}] * 250}, path="/v1/batch")],
    "a refusal": [asked({"event": "X"})],
    "no JSON": [asked(b"{")],
    "an empty body": [asked(b"")],
    "no key": [asked(a_track(), key="")],
    "a key that nobody has": [asked(a_track(), key="another")],
    "a key in the body": [asked(a_track(writeKey="WK"), key="")],
    "an app's own device": [asked(a_track(), key="app")],
    "an event that names an address": [asked(a_track(context={"ip": "192.0.2.1"}))],
    "too fast": [asked(a_track(), key="slow")] * 3,
    "too fast for PostHog": [asked({"event": "X", "distinct_id": "u1"}, path="/i/v0/e/", key="slow")] * 2,
    "too large for its key": [asked(a_track(), key="small")],
    "PostHog's": [asked({"batch": [{"event": "X", "distinct_id": "u1", "uuid": "i"}]}, path="/batch/")],
    "Jitsu's": [asked(a_track(), path="/api/s/track"), asked(BATCH, path="/api/s/s2s/batch")],
    "another try": [asked(a_track(), "X-Retry-Count: 2"), asked(a_track(), path="/v1/track?retry_count=1")],
    "a page's": [asked(a_track(), "Origin: https://shop.example")],
    "no such route": [asked(a_track(), path="/v1/nothing")],
}


@pytest.mark.parametrize("requests", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("publisher", [OfferingRecorder, Declining])
@pytest.mark.parametrize("down", [False, True])
async def test_it_is_as_with_tasks(
    requests: list[bytes], publisher: Callable[[], RecordingPublisher], *, down: bool
) -> None:
    found = []
    for one in (RecordingPublisher(), publisher()):
        one.down = down
        found.append(await told(one, requests))
    assert found[0] == found[1]


async def test_what_has_no_room_is_turned_away() -> None:
    bounds = Bounds(in_flight_bytes=50)
    answers, outputs, _ = await told(OfferingRecorder(), [asked(a_track())] * 2, bounds=bounds)
    assert 2 == answers.count(b"HTTP/1.1 503 ")
    assert [] == outputs


async def test_a_fault_of_ours_is_answered() -> None:
    class Broken(OfferingRecorder):
        def offer(self, *_: object) -> bool:
            raise ZeroDivisionError

    answers, _, samples = await told(Broken(), [asked(a_track())] * 2)
    assert 2 == answers.count(b"HTTP/1.1 500 ")
    labels = (("format", "segment"), ("status", "500"), ("attempt", "first"))
    assert isinstance(samples, dict)
    assert 2 == samples["kikkake_ingest_requests_total", *labels]
    assert 0 == samples["kikkake_in_flight_bytes",]


async def test_a_fault_in_the_answer_is_answered_and_leaves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_answer: bytes) -> Response:
        raise ZeroDivisionError

    monkeypatch.setattr("services.ingest.app.response_of", broken)
    answers, _, samples = await told(OfferingRecorder(), [asked({"batch": []}, path="/v1/batch")])
    assert 1 == answers.count(b"HTTP/1.1 500 ")
    assert isinstance(samples, dict)
    assert 0 == samples["kikkake_in_flight_bytes",]
