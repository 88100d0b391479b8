"""PostHog's libraries: the requests as captured from posthog (Python), posthog-node and posthog-js."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.unit.ingest.sites import NOW, Site

ITEM = {
    "event": "Product Added",
    "distinct_id": "u1",
    "uuid": "0193a1f0-0000-7000-8000-000000000001",
    "timestamp": "2026-03-02T09:59:58.000+00:00",
    "properties": {"price": 9.5, "$lib": "posthog-python", "$lib_version": "7.91.1"},
}
SENT = "2026-03-02T10:00:00.000+00:00"


def test_the_batch_of_the_python_library(site: Site) -> None:
    body = {"api_key": "WK", "batch": [ITEM], "sent_at": SENT, "historical_migration": False}
    answer = site.http.post("/batch/", json=body)
    assert (200, {"success": True, "status": 1}) == (answer.status_code, answer.json())
    [event] = site.events
    assert (ITEM["uuid"], "u1", NOW - 2_000) == (event.message_id, event.user_id, event.timestamp)
    assert "Product Added" == event.name


def test_the_browser_sends_gzip_as_plain_text(site: Site) -> None:
    """And says of it neither Content-Encoding nor ?compression; the key is in the properties, the time in the query."""
    properties = {"distinct_id": "a1", "token": "WK", "$is_identified": False, "$current_url": "https://x.jp/"}
    event = {"event": "$pageview", "uuid": "id-1", "properties": properties, "timestamp": "2026-03-02T09:59:58.000Z"}
    content = gzip.compress(json.dumps(event).encode())
    plain = {"content-type": "text/plain"}
    answer = site.http.post(f"/e/?ip=0&sent_at={NOW}&ver=1.449.2", content=content, headers=plain)
    assert 200 == answer.status_code
    [found] = site.events
    assert ("page", "a1", NOW - 2_000) == (found.type, found.anonymous_id, found.timestamp)


def test_the_beacon_of_a_page_that_is_left_is_a_form(site: Site) -> None:
    events = [{**ITEM, "properties": {"token": "WK"}, "sent_at": SENT}]
    data = base64.b64encode(json.dumps(events).encode()).decode().replace("+", "%2B").replace("=", "%3D")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = site.http.post("/e/?compression=base64", content=f"data={data}", headers=headers)
    assert 200 == answer.status_code
    assert [NOW - 2_000] == [event.timestamp for event in site.events]


def test_a_get_has_it_in_its_query(site: Site) -> None:
    data = base64.b64encode(json.dumps({**ITEM, "api_key": "WK"}).encode()).decode()
    assert 200 == site.http.get("/e/", params={"data": data, "_": str(NOW)}).status_code
    assert [NOW - 2_000] == [event.timestamp for event in site.events]


def test_engage_has_no_event_name(site: Site) -> None:
    body = {"$token": "WK", "$distinct_id": "u1", "$set": {"plan": "pro"}}
    assert 200 == site.http.post("/engage/", json=body).status_code
    [event] = site.events
    assert ("identify", "u1", {"plan": "pro"}) == (event.type, event.user_id, event.traits)


def test_traits_to_set_once_are_kept_apart(site: Site) -> None:
    site.http.post("/e/", json={**ITEM, "event": "$identify", "api_key": "WK", "$set_once": {"first_url": "/"}})
    assert [{"first_url": "/"}] == [event.traits_once for event in site.events]


def test_an_event_that_fails_in_one_of_its_calls_is_refused_whole(site: Site) -> None:
    bad = {**ITEM, "event": "", "$set": {"plan": "pro"}}
    answer = site.http.post("/batch/", json={"api_key": "WK", "batch": [bad, ITEM]})
    assert [0] == [error["index"] for error in answer.json()["errors"]]
    assert ["Product Added"] == [event.name for event in site.events]


def test_cookieless_visitors_are_not_made_one_contact(site: Site) -> None:
    item = {**ITEM, "distinct_id": "$posthog_cookieless"}
    assert "illegal_distinct_id" == site.http.post("/e/", json={**item, "api_key": "WK"}).json()["code"]


class TestVerdicts:
    """/i/v1/analytics/events says of each event what became of it, so that a client repeats none in vain."""

    def send(self, site: Site, *batch: object, **headers: str) -> dict[str, Any]:
        sent = {"posthog-sdk-info": "posthog-python/7.91.1", "posthog-request-timestamp": SENT, **headers}
        body = {"created_at": SENT, "batch": batch}
        answer = site.http.post("/i/v1/analytics/events", json=body, headers={"authorization": "Bearer WK", **sent})
        assert 200 == answer.status_code
        found: dict[str, Any] = answer.json()["results"]
        return found

    def test_each_has_its_own(self, site: Site) -> None:
        bad = {**ITEM, "uuid": "id-2", "distinct_id": "null"}
        results = self.send(site, {**ITEM, "uuid": "id-1"}, bad, "no event", {"event": "no uuid"})
        why = {"result": "drop", "details": "userId is a value that no contact can have"}
        assert {"id-1": {"result": "ok"}, "id-2": why} == results
        assert 3 == len(site.letters)

    def test_the_header_says_when_it_was_sent_and_by_what(self, site: Site) -> None:
        alias = {**ITEM, "event": "$create_alias", "distinct_id": "a1", "properties": {"alias": "u1"}}
        self.send(site, ITEM, alias)
        assert [NOW - 2_000] * 2 == [event.timestamp for event in site.events]
        assert {"name": "posthog-python"} == site.events[1].context["library"]
        assert ("u1", "a1") == (site.events[1].user_id, site.events[1].previous_id)


class TestWhatTheBrowserAsksFirst:
    def test_the_script_sets_the_configuration(self, site: Site) -> None:
        answer = site.http.get("/array/WK/config.js")
        assert "text/javascript; charset=utf-8" == answer.headers["content-type"]
        before, _, rest = answer.text.partition('["WK"] = {config: ')
        assert "(window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {})" == before
        config = json.loads(rest.removesuffix(", siteApps: []};"))
        assert site.http.get("/array/WK/config").json() == config
        assert (["gzip-js"], False, True) == (
            config["supportedCompression"],
            config["sessionRecording"],
            config["autocapture_opt_out"],
        )

    @pytest.mark.parametrize("path", ["/flags/?v=2", "/flags", "/decide/?v=4"])
    def test_there_are_no_flags(self, site: Site, path: str) -> None:
        answer = site.http.post(path, json={"token": "WK", "distinct_id": "a1"}).json()
        assert ({}, {}, False) == (answer["flags"], answer["featureFlags"], answer["errorsWhileComputingFlags"])
