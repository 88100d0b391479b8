"""The HTTP interface: what is answered, when, and what then is in the log."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence

import httpx2
import orjson
import pytest
from fastapi import APIRouter
from prometheus_client import generate_latest
from starlette.testclient import TestClient

from services.ingest.app import create_app
from services.ingest.gate import Bounds
from services.ingest.keys import plain_keys
from shared.errors import PermanentError
from shared.log import Output
from tests.fakes import RecordingPublisher
from tests.unit.ingest.sites import NOW, WK, Site, a_track, always_ready


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/identify", "identify"),
        ("/v1/i", "identify"),
        ("/v1/track", "track"),
        ("/v1/t", "track"),
        ("/v1/page", "page"),
        ("/v1/p", "page"),
        ("/v1/screen", "screen"),
        ("/v1/s", "screen"),
        ("/v1/group", "group"),
        ("/v1/g", "group"),
        ("/v1/alias", "alias"),
        ("/v1/a", "alias"),
    ],
)
def test_every_call_has_two_routes(site: Site, path: str, kind: str) -> None:
    answer = site.post(path, {"userId": "u1", "event": "X", "groupId": "g", "previousId": "p"})
    assert (200, '{"success": true}') == (answer.status_code, answer.text)
    assert [kind] == [event.type for event in site.events]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/v1/b", "/beacon/v1/batch"])
def test_a_batch_has_its_names(site: Site, path: str) -> None:
    answer = site.post(path, {"batch": [a_track(messageId="1"), a_track(messageId="2")]})
    assert (200, '{"success": true}') == (answer.status_code, answer.text)
    assert ["1", "2"] == [event.message_id for event in site.events]
    assert 2 == site.count("events_accepted_total")


def test_the_record_lies_under_its_contacts_key(site: Site) -> None:
    site.post("/v1/batch", {"batch": [a_track(anonymousId="a1"), {**a_track(), "userId": None, "anonymousId": "a1"}]})
    assert [b"u:u1", b"a:a1"] == [output.key for output in site.publisher.outputs]
    assert ["id-1", "id-2"] == [event.message_id for event in site.events]
    assert {NOW} == {event.received_at for event in site.events}


def test_one_request_is_one_publish_in_its_order(site: Site) -> None:
    site.post("/v1/batch", {"batch": [a_track(event=str(number)) for number in range(50)]})
    assert [str(number) for number in range(50)] == [event.name for event in site.events]


def test_an_empty_batch_is_no_error(site: Site) -> None:
    assert 200 == site.post("/v1/batch", {"batch": []}).status_code
    assert [] == site.publisher.outputs


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(a_track()), {"content-type": "text/plain"}),
        (json.dumps(a_track()), {"content-type": "application/x-www-form-urlencoded"}),
        (gzip.compress(json.dumps(a_track()).encode(), mtime=0), {"content-encoding": "gzip"}),
        (gzip.compress(json.dumps(a_track()).encode(), mtime=0), {"content-type": "application/x-www-form-urlencoded"}),
        (json.dumps(a_track()), {"content-encoding": "gzip"}),
    ],
    ids=["segment-browser", "rudder-node-plain", "rudder-py", "rudder-node", "liar"],
)
def test_headers_about_the_body_are_not_believed(site: Site, content: str | bytes, headers: dict[str, str]) -> None:
    assert 200 == site.http.post("/v1/track", content=content, headers=headers, auth=WK).status_code
    assert ["X"] == [event.name for event in site.events]


def test_a_browsers_beacon_has_its_key_in_the_query(site: Site) -> None:
    answer = site.http.post("/beacon/v1/batch?writeKey=WK", json={"batch": [a_track()]})
    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        ("/v1/track", "{", 400, "invalid_json"),
        ("/v1/track", '[{"userId": "u1", "event": "X", "writeKey": "WK"}]', 400, "invalid_json"),
        ("/v1/batch", "[]", 400, "invalid_json"),
        ("/v1/track", "", 400, "empty_body"),
        ("/v1/track", "{}", 400, "no_user_anon_id"),
        ("/v1/track", '{"userId": "null", "event": "X"}', 400, "illegal_distinct_id"),
        ("/v1/track", '{"userId": "u1"}', 400, "no_event_name"),
        ("/v1/batch", "{}", 400, "invalid_batch"),
        ("/v1/batch", '{"batch": {}}', 400, "invalid_batch"),
        ("/v1/track", '{"a": "' + "x" * 33_000 + '"}', 413, "event_too_large"),
        ("/v1/batch", '{"batch": [], "a": "' + "x" * 8_388_590 + '"}', 413, "too_large"),
        ("/v1/batch", '{"batch": [' + "0," * 2500 + "0]}", 413, "too_large"),
        ("/v1/track", "x" * 8_388_609, 413, "too_large"),
        ("/v1/track", gzip.compress(b"0" * 9_000_000, mtime=0), 413, "too_large"),
        ("/v1/track", '{"a":' * 500 + "1" + "}" * 500, 400, "too_deep"),
    ],
)
def test_a_refusal_says_why(site: Site, path: str, content: str | bytes, status: int, code: str) -> None:
    """``code`` and ``message`` keep rudder-sdk-python from repeating it; ``detail`` is for PostHog's."""
    answer = site.http.post(path, content=content, auth=WK)
    body = answer.json()
    assert (status, False, code) == (answer.status_code, body["success"], body["code"])
    assert {"success", "code", "message", "detail"} == set(body)
    assert [] == site.events
    assert 1 == site.count("events_rejected_total", reason=code)
    assert 0 == site.count("events_accepted_total")


@pytest.mark.parametrize("path", ["/v1/track", "/v1/pixel/track"])
def test_a_call_that_is_refused_is_kept_as_one_of_a_batch_is(site: Site, path: str) -> None:
    """Most libraries drop what gets a 4xx: nobody would ever hear of it."""
    pixel = path.startswith("/v1/pixel")
    answer = site.http.get(path, params={"userId": "u1"}, auth=WK) if pixel else site.post(path, {"userId": "u1"})
    assert 400 == answer.status_code
    [letter] = site.letters
    assert ("no_event_name", {"userId": "u1"}) == (letter.reason, orjson.loads(letter.value or b""))
    assert 1 == site.count("dead_letters_total", topic="events", reason="no_event_name")
    assert 1 == site.count("source_events_total", source="key_1", outcome="rejected")


def test_an_event_that_is_too_large_is_a_413_and_a_dead_letter(site: Site) -> None:
    """Sent again it would be as large: so nothing is gained by an answer that makes the library repeat it."""
    assert 413 == site.post("/v1/track", a_track(properties={"text": ["x" * 16_000] * 3})).status_code
    assert ["event_too_large"] == [letter.reason for letter in site.letters]


def test_a_refusal_that_cannot_be_kept_is_a_503(site: Site) -> None:
    """It comes again, and is kept then."""
    site.publisher.down = True
    assert 503 == site.post("/v1/track", {"userId": "u1"}).status_code


@pytest.mark.parametrize(("auth", "code"), [(None, "missing_write_key"), (("no", ""), "invalid_write_key")])
def test_a_key_is_needed(site: Site, auth: tuple[str, str] | None, code: str) -> None:
    for path in ("/v1/track", "/v1/consent"):
        answer = site.post(path, a_track(), auth=auth)
        assert (401, code) == (answer.status_code, answer.json()["code"])
    assert [] == site.publisher.outputs


def test_a_bad_event_does_not_fail_its_batch(site: Site) -> None:
    """It goes to the dead letters whole, and the answer names it."""
    bad = {"type": "track", "event": "X", "userId": "undefined"}
    answer = site.post("/v1/batch", {"batch": [a_track(messageId="1"), bad, 7, a_track(messageId="2")]})
    assert 200 == answer.status_code
    assert answer.json()["success"] is True
    assert [(1, "illegal_distinct_id"), (2, "invalid_event")] == [
        (error["index"], error["code"]) for error in answer.json()["errors"]
    ]
    assert ["1", "2"] == [event.message_id for event in site.events]
    assert ["illegal_distinct_id", "invalid_event"] == [letter.reason for letter in site.letters]
    first = site.letters[0]
    assert ("events", -1, -1, None, NOW) == (first.topic, first.partition, first.offset, first.key, first.at)
    assert first.value is not None
    assert bad == json.loads(first.value)
    assert (2, 1) == (
        site.count("events_accepted_total"),
        site.count("dead_letters_total", topic="events", reason="invalid_event"),
    )


def test_a_large_event_does_not_fail_its_batch(site: Site) -> None:
    batch = [a_track(properties={"a": "x" * 33_000}), a_track(properties={"a": "x" * 15_000, "b": "x" * 15_000})]
    answer = site.post("/v1/batch", {"batch": batch})
    assert ["event_too_large"] == [error["code"] for error in answer.json()["errors"]]
    assert 1 == len(site.events)


def test_an_event_too_deep_to_write_does_not_fail_its_batch(site: Site) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    good = json.dumps(a_track())
    answer = site.http.post("/v1/batch", content=f'{{"batch": [{deep}, {good}]}}', auth=WK)
    assert ["too_deep"] == [error["code"] for error in answer.json()["errors"]]
    assert 1 == len(site.events)


def test_consent(site: Site) -> None:
    answer = site.post("/v1/consent", {"userId": "u1", "topic": "news", "channel": "email", "status": "revoked"})
    assert 200 == answer.status_code
    (event,) = site.events
    assert ("consent", "Consent Revoked") == (event.type, event.name)
    assert {"topic": "news", "channel": "email", "status": "revoked"} == event.properties


def test_a_log_that_is_down_is_a_503(site: Site) -> None:
    """Every client repeats a 503, and nothing was said to be accepted."""
    site.publisher.down = True
    answer = site.post("/v1/track", a_track())
    assert (503, "1", "log_unavailable") == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.json()["code"],
    )
    assert 0 == site.count("events_accepted_total")
    assert 1 == site.count("events_rejected_total", reason="log_unavailable")
    site.publisher.down = False
    assert 200 == site.post("/v1/track", a_track()).status_code


class BlockingPublisher:
    """Acknowledges when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.acknowledged = asyncio.Event()

    async def publish(self, outputs: Sequence[Output]) -> None:
        self.asked.set()
        await self.acknowledged.wait()


async def test_200_waits_for_the_acknowledgement() -> None:
    """Accepted means durable."""
    publisher = BlockingPublisher()
    app = create_app(publisher=publisher, keys=plain_keys(["WK"]), ready=always_ready)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://site") as http:
        asked = asyncio.create_task(http.post("/v1/track", json=a_track(), auth=WK))
        await publisher.asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not asked.done()
        publisher.acknowledged.set()
        assert 200 == (await asked).status_code


async def test_what_waits_for_the_log_is_bounded() -> None:
    """Above the bound a request is refused at once, so that memory lasts; the waiting ones go on."""
    publisher = BlockingPublisher()
    body = a_track(properties={"a": "x" * 3_000})
    size = len(json.dumps(body))
    bounds = Bounds(in_flight_bytes=5 * size)  # a request counts as received and as decoded: two fit
    app = create_app(publisher=publisher, keys=plain_keys(["WK"]), ready=always_ready, bounds=bounds)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://site") as http:
        waiting = [asyncio.create_task(http.post("/v1/track", json=body, auth=WK)) for _ in range(2)]
        await publisher.asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        refused = await http.post("/v1/track", json=body, auth=WK)
        assert (503, "overloaded") == (refused.status_code, refused.json()["code"])
        assert "1" == refused.headers["retry-after"]
        publisher.acknowledged.set()
        assert [200, 200] == [answer.status_code for answer in await asyncio.gather(*waiting)]
        assert 200 == (await http.post("/v1/track", json=body, auth=WK)).status_code


def test_operators_routes(site: Site) -> None:
    site.post("/v1/track", a_track())
    assert 200 == site.http.get("/livez").status_code
    assert 200 == site.http.get("/readyz").status_code
    assert generate_latest(site.metrics.registry).decode() == site.http.get("/metrics").text
    assert "kikkake_events_accepted_total 1.0" in site.http.get("/metrics").text
    assert 200 == site.http.get("/docs").status_code
    paths = site.http.get("/openapi.json").json()["paths"]
    assert {"/v1/track", "/v1/t", "/v1/batch", "/v1/consent"} < set(paths)


def test_readiness_is_the_hosts_and_liveness_asks_nobody() -> None:
    async def never_ready() -> bool:
        return False

    site = Site(ready=never_ready)
    assert 503 == site.http.get("/readyz").status_code
    assert 200 == site.http.get("/livez").status_code


def test_a_route_that_is_not_there(site: Site) -> None:
    assert (404, "http_404") == ((answer := site.http.get("/nix")).status_code, answer.json()["code"])
    assert 405 == site.http.get("/v1/track").status_code


def test_a_hosts_own_routes_live_under_the_same_rules() -> None:
    router = APIRouter()

    @router.get("/broken")
    async def broken() -> None:
        raise PermanentError("secret words")

    @router.get("/worse")
    async def worse() -> None:
        raise RuntimeError("secret words")

    app = create_app(
        publisher=RecordingPublisher(), keys=plain_keys(["WK"]), ready=always_ready, extra_routers=[router]
    )
    http = TestClient(app, raise_server_exceptions=False)
    for path in ("/broken", "/worse"):
        answer = http.get(path)
        assert (500, "internal_error") == (answer.status_code, answer.json()["code"])
        assert "secret" not in answer.text
