"""Segment's libraries: the requests as captured from segment-analytics-python, analytics-node and analytics-next."""

from __future__ import annotations

import base64
import json

from tests.unit.ingest.sites import NOW, Site


def test_the_batch_of_the_python_library(site: Site) -> None:
    body = {
        "batch": [
            {
                "integrations": {},
                "anonymousId": None,
                "properties": {"price": 9.5},
                "timestamp": "2026-03-02T09:59:59.000000+00:00",
                "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
                "userId": "u1",
                "type": "track",
                "event": "Product Added",
                "messageId": "m1",
            }
        ],
        "sentAt": "2026-03-02T10:00:00.500000+00:00",
        "writeKey": "WK",
    }
    assert 200 == site.post("/v1/batch", body).status_code
    [event] = site.events
    assert ("m1", "u1", None, NOW - 1_500) == (event.message_id, event.user_id, event.anonymous_id, event.timestamp)


def test_the_call_of_the_browser_library(site: Site) -> None:
    call = {
        "timestamp": "2026-03-02T09:59:58.393Z",
        "integrations": {"Segment.io": True},
        "event": "Product Added",
        "type": "track",
        "properties": {"product_id": "p1"},
        "context": {"page": {"path": "/k"}, "userAgent": "Mozilla/5.0", "timezone": "UTC"},
        "messageId": "ajs-next-1795303628393-d331",
        "userId": "u1",
        "anonymousId": "57f1",
        "writeKey": "WK",
        "sentAt": "2026-03-02T09:59:58.424Z",
        "_metadata": {"bundled": ["Segment.io"], "unbundled": []},
    }
    answer = site.http.post("/v1/t", content=json.dumps(call), headers={"content-type": "text/plain"})
    assert (200, '{"success": true}') == (answer.status_code, answer.text)
    [event] = site.events
    assert ("u1", "57f1", NOW - 31) == (event.user_id, event.anonymous_id, event.timestamp)


def test_a_mails_pixel_has_the_call_in_its_address(site: Site) -> None:
    call = {"writeKey": "WK", "userId": "u1", "event": "Email Opened", "properties": {"command_id": "c1"}}
    data = base64.b64encode(json.dumps(call).encode()).decode()
    assert 200 == site.http.get("/v1/pixel/track", params={"data": data}).status_code
    [event] = site.events
    assert ("u1", "Message Opened", {"command_id": "c1"}) == (event.user_id, event.name, event.properties)
