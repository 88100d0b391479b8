"""What holds for every route of every format: 200 means durable, and a refusal says what to change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import chain
from typing import Any

import httpx2
import pytest

from services.ingest.direct import Application
from services.ingest.formats.base import Route, Setup
from services.ingest.routes import FORMATS
from tests.unit.ingest.sites import Site, a_track

ROUTES: list[Route] = list(chain.from_iterable(wire.ROUTES for wire in FORMATS))
SETUPS: list[Setup] = list(chain.from_iterable(wire.SETUPS for wire in FORMATS))

GOOD: dict[str, Any] = {
    "segment": a_track(groupId="g", previousId="p", topic="news", status="granted", batch=[a_track()]),
    "rudderstack": {"batch": [a_track()]},
    "jitsu": a_track(groupId="g", previousId="p", batch=[a_track()]),
    "posthog": {"batch": [{"event": "X", "distinct_id": "u1", "uuid": "id-1"}]},
}
"""A body that each of a format's routes takes: a new format has its own here."""

PIXEL = {"event": "X", "userId": "u1", "groupId": "g", "previousId": "p"}


def every(rows: list[Route]) -> pytest.MarkDecorator:
    found = [(row, path, method) for row in rows for path in row.paths for method in row.methods]
    return pytest.mark.parametrize(("row", "path", "method"), found, ids=[f"{it[2]} {it[1]}" for it in found])


def ask(site: Site, row: Route, path: str, method: str, *, key: str | None = "WK") -> httpx2.Response:
    query = {} if key is None else {"writeKey": key}
    if method == "GET":
        return site.http.get(path, params={**query, **(PIXEL if row.pixel else {"data": json.dumps(GOOD[row.format])})})
    return site.http.post(path, params=query, json=GOOD[row.format])


@every(ROUTES)
def test_success_is_exactly_200_and_means_durable(site: Site, row: Route, path: str, method: str) -> None:
    """rudder-sdk-python and posthog take a 202 or a 204 for an error and send again."""
    answer = ask(site, row, path, method)
    assert 200 == answer.status_code
    assert row.pixel or answer.json()["success"] is True
    assert 1 == len(site.events)
    assert 1 == site.count("ingest_requests_total", format=row.format, status="200", attempt="first")


@every([row for row in ROUTES if not row.pixel])
def test_a_refusal_has_its_code_message_and_detail(site: Site, row: Route, path: str, method: str) -> None:
    """rudder-sdk-python repeats a 4xx without code and message for ever; PostHog's shows detail."""
    for answer in (
        ask(site, row, path, method, key=None),
        ask(site, row, path, method, key="nobody's"),
        site.http.request(method, path, params={"writeKey": "WK", "data": "{"}, content=b"{"),
    ):
        assert answer.status_code in (400, 401)
        assert {"success", "code", "message", "detail"} == set(answer.json())
        assert all(answer.json()[word] for word in ("code", "message", "detail"))
        assert answer.json()["success"] is False
    assert [] == site.publisher.outputs


@every([row for row in ROUTES if not row.pixel])
def test_when_the_log_is_down_every_client_is_told_to_come_back(site: Site, row: Route, path: str, method: str) -> None:
    site.publisher.down = True
    answer = ask(site, row, path, method)
    assert (503, "log_unavailable") == (answer.status_code, answer.json()["code"])
    assert int(answer.headers["retry-after"]) >= 1


@every([row for row in ROUTES if row.pixel])
def test_a_pixel_is_an_image_whatever_happens(site: Site, row: Route, path: str, method: str) -> None:
    taken, refused = ask(site, row, path, method), ask(site, row, path, method, key=None)
    site.publisher.down = True
    lost = ask(site, row, path, method)
    assert [200, 401, 503] == [answer.status_code for answer in (taken, refused, lost)]
    for answer in (taken, refused, lost):
        assert ("image/gif", "no-store") == (answer.headers["content-type"], answer.headers["cache-control"])
        assert answer.content.startswith(b"GIF89a")


@pytest.mark.parametrize("setup", SETUPS, ids=[setup.paths[0] for setup in SETUPS])
def test_what_a_library_asks_first_is_served_from_memory(site: Site, setup: Setup) -> None:
    """While the log is down too: without it the library sends nothing at all, for as long as the page lives."""
    site.publisher.down = True
    for path in setup.paths:
        for method in setup.methods:
            answer = site.http.request(method, path.replace("{key}", "WK"), params={"writeKey": "WK"})
            assert (200, "public, max-age=3600") == (answer.status_code, answer.headers["cache-control"])
            if setup.keyed:
                unknown = site.http.request(method, path.replace("{key}", "nobody's"))
                assert unknown.status_code in (401, 404)
                assert {"success", "code", "message", "detail"} == set(unknown.json())


@pytest.mark.parametrize(
    ("headers", "query", "attempt"),
    [
        ({"x-retry-count": "0"}, {}, "first"),
        ({"x-retry-count": "2"}, {}, "retry"),
        ({"posthog-attempt": "1"}, {}, "first"),
        ({"posthog-attempt": "2"}, {}, "retry"),
        ({}, {"retry_count": "1"}, "retry"),
        ({"x-retry-count": "anything at all"}, {}, "retry"),
    ],
)
def test_what_is_sent_again_is_counted_apart(
    site: Site, headers: dict[str, str], query: dict[str, str], attempt: str
) -> None:
    """Two values, whatever the client sends: a label has no more."""
    site.post("/v1/track", a_track(), headers=headers, params=query)
    assert 1 == site.count("ingest_requests_total", format="segment", status="200", attempt=attempt)


def test_the_description_names_every_route_with_its_answers(site: Site) -> None:
    paths = site.http.get("/openapi.json").json()["paths"]
    for row in ROUTES:
        for path in row.paths:
            for method in row.methods:
                shown = paths[path][method.lower()]
                assert {"200", "400", "401", "413", "503"} <= set(shown["responses"])
                assert "422" not in shown["responses"]
                assert (row.schema is not None) == ("requestBody" in shown)
    for setup in SETUPS:
        assert set(setup.paths) <= set(paths)


async def test_who_sends_too_slowly_is_let_go() -> None:
    """A body that does not arrive holds its place for some seconds. RudderStack's libraries would drop a 408."""
    site = Site(body_seconds=0.01)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    sent = await answered(site, receive)
    assert 503 == sent[0]["status"]
    assert "body_timeout" == json.loads(sent[1]["body"])["code"]
    assert 0 == site.count("in_flight_bytes")


async def test_a_large_body_on_a_slow_line_is_waited_for() -> None:
    """50 kB give it a second more than all of it has to begin with."""
    site = Site(body_seconds=0.2)
    body = json.dumps(a_track(properties={"a": ["x" * 3_000] * 10})).encode() + b" " * 50_000
    chunks = [body[:50_000], body[50_000:]]

    async def receive() -> dict[str, Any]:
        if len(chunks) == 1:
            await asyncio.sleep(0.3)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    assert 200 == (await answered(site, receive))[0]["status"]
    assert 1 == len(site.events)


async def answered(site: Site, receive: Callable[[], Awaitable[dict[str, Any]]]) -> list[Any]:
    """What is sent to whoever posts a track call so."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/track",
        "query_string": b"writeKey=WK",
        "headers": [],
        "client": None,
    }
    await site.http.app(scope, receive, send)
    return sent


def test_the_short_way_leads_to_every_route(site: Site) -> None:
    """Past FastAPI, whose table has them for the description: in neither is one that is not in the other."""
    app = site.http.app
    assert isinstance(app, Application)
    every_one = {(method, path) for row in ROUTES for path in row.paths for method in row.methods}
    assert every_one == set(app._endpoints)
