"""RudderStack's libraries: the requests as captured from rudder-sdk-python, -node and analytics-js."""

from __future__ import annotations

import gzip
import json

from tests.unit.ingest.sites import NOW, WK, Site


def test_the_python_library_puts_the_traits_into_the_context(site: Site) -> None:
    body = {
        "batch": [
            {
                "type": "identify",
                "userId": "u1",
                "anonymousId": None,
                "channel": "server",
                "context": {"traits": {"email": "aki@shop.example"}, "library": {"name": "rudder-sdk-python"}},
                "originalTimestamp": "2026-03-02T09:59:59.000+00:00",
                "sentAt": "2026-03-02T10:00:00.000+00:00",
                "messageId": "m1",
            }
        ]
    }
    content = gzip.compress(json.dumps(body).encode())
    answer = site.http.post("/v1/batch", content=content, headers={"content-encoding": "gzip"}, auth=WK)
    assert 200 == answer.status_code
    [event] = site.events
    assert {"email": "aki@shop.example"} == event.traits
    assert NOW - 1_000 == event.timestamp


def test_the_beacon_of_a_page_that_is_left(site: Site) -> None:
    body = {"batch": [{"type": "page", "anonymousId": "a1", "name": "Home", "properties": {"path": "/"}}]}
    answer = site.http.post(
        "/beacon/v1/batch?writeKey=WK", content=json.dumps(body), headers={"content-type": "text/plain"}
    )
    assert 200 == answer.status_code
    assert ["Page Viewed"] == [event.name for event in site.events]


def test_the_pixel_has_everything_in_its_query(site: Site) -> None:
    query = "writeKey=WK&anonymousId=a1&event=Mail+Opened&properties.campaign.id=c%201&context.locale=ja"
    assert 200 == site.http.get(f"/pixel/v1/track?{query}").status_code
    [event] = site.events
    assert ("Mail Opened", "a1", NOW) == (event.name, event.anonymous_id, event.timestamp)
    assert {"campaign": {"id": "c 1"}} == event.properties
    assert {"locale": "ja"} == event.context


def test_the_browser_library_is_told_its_source(site: Site) -> None:
    """With the key in its query and its Basic credentials; without destinations it loads no more code."""
    answer = site.http.get("/sourceConfig/?p=npm&v=3.34.1&build=modern&writeKey=WK", auth=WK)
    source = answer.json()["source"]
    assert ("WK", True, []) == (source["writeKey"], source["enabled"], source["destinations"])
    assert 401 == site.http.get("/sourceConfig/").status_code
