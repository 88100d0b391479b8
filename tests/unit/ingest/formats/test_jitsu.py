"""Jitsu's library: the requests as captured from @jitsu/js."""

from __future__ import annotations

import base64
import json

from tests.unit.ingest.sites import NOW, Site

CALL = {
    "type": "page",
    "timestamp": "2026-03-02T09:59:59.000Z",
    "sentAt": "2026-03-02T10:00:00.000Z",
    "messageId": "m1",
    "writeKey": "k:***",
    "userId": None,
    "anonymousId": "a1",
    "groupId": None,
    "properties": {"path": "/"},
    "context": {"library": {"name": "@jitsu/js"}, "page": {"path": "/"}},
}


def test_the_key_is_in_the_header_and_masked_in_the_body(site: Site) -> None:
    answer = site.http.post("/api/s/page", json=CALL, headers={"x-write-key": "WK"})
    assert {"success": True, "ok": True, "receivedEvents": 1, "okEvents": 1} == answer.json()
    [event] = site.events
    assert ("Page Viewed", "a1", None, NOW - 1_000) == (event.name, event.anonymous_id, event.user_id, event.timestamp)


def test_a_servers_batch_is_told_what_was_refused(site: Site) -> None:
    answer = site.http.post("/api/s/s2s/batch", json={"batch": [CALL, {}]}, headers={"x-write-key": "WK"})
    refused = {
        "index": 1,
        "code": "no_user_anon_id",
        "message": "neither userId nor anonymousId says whose event it is",
    }
    expected = {"success": True, "ok": False, "receivedEvents": 2, "okEvents": 1, "errors": [refused]}
    assert (200, expected) == (answer.status_code, answer.json())


def test_the_pixels_fields_count_more_than_its_data(site: Site) -> None:
    data = base64.b64encode(json.dumps({**CALL, "properties": {"a": 1, "b": 2}}).encode()).decode()
    query = {"data": data, "writeKey": "WK", "properties.b": "3", "anonymousId": "a2"}
    assert 200 == site.http.get("/api/px/page", params=query).status_code
    [event] = site.events
    assert ("a2", {"a": 1, "b": "3"}) == (event.anonymous_id, event.properties)
