"""A webhook that leaves no event leaves a reason: a counter, a line of the log, and its body where that is worth it."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.ingest.webhooks.refusals import Refusals
from shared.metrics import Metrics
from tests.unit.ingest.sites import Site
from tests.unit.ingest.webhooks.posting import from_shopify, site_with

SOURCES = """\
  shop: {kind: shopify, secret: {env: HUSH}}
  form:
    token: {query: key, secret: {env: HUSH}}
    events:
      - when: event.kind == 'contact'
        event: "'Form Submitted'"
        user_id: event.email
"""
GOOD = b'{"kind": "contact", "email": "aki@shop.example"}'


def told(site: Site, query: str, body: bytes, source: str = "form") -> tuple[int, list[dict[str, Any]]]:
    """Return the answer's status and the lines that were logged."""
    with capture_logs() as lines:
        status = site.http.post(f"/v1/webhooks/{source}{query}", content=body).status_code
    return status, [dict(line) for line in lines]


@pytest.mark.parametrize(
    ("query", "body", "status", "reason", "why"),
    [
        ("?key=wrong", GOOD, 401, "invalid_signature", "the signature or token of the webhook is missing or wrong"),
        ("?key=hush", b'{"kind": ', 400, "invalid_json", "the body is not valid JSON"),
        ("?key=hush", b"\xff\xfe", 400, "invalid_body", "the body is neither JSON nor the fields of a form"),
        ("?key=hush", b'{"kind": "other"}', 200, "no_rule", "no rule of the source holds for it"),
        (
            "?key=hush",
            b'{"kind": "contact", "email": null}',
            200,
            "no_user_anon_id",
            "set aside; kikkake dead-letters list shows it",
        ),
    ],
)
def test_it_is_counted_by_source_and_reason_and_told_to_the_operator(
    query: str, body: bytes, status: int, reason: str, why: str
) -> None:
    site = site_with(SOURCES)
    answered, lines = told(site, query, body)
    assert status == answered
    assert 1 == site.count("webhooks_refused_total", source="form", reason=reason)
    expected = {"source": "form", "reason": reason, "why": why, "times": 1}
    assert [{"event": "ingest.webhook_refused", "log_level": "warning", **expected}] == lines


def test_a_source_that_is_not_there_is_told_without_the_name_that_was_asked_for() -> None:
    """Anybody may ask for any name: as a label it would be without bound, and it may be personal."""
    site = site_with(SOURCES)
    status, [line] = told(site, "", GOOD, source="aki@shop.example")
    assert (404, 1) == (status, site.count("webhooks_refused_total", source="", reason="not_found"))
    assert ("", "not_found") == (line["source"], line["reason"])
    assert "there is no webhook source of this name; webhooks.yaml names them" == line["why"]
    assert 1 == site.count("events_rejected_total", reason="not_found")


def test_a_topic_of_shopify_that_becomes_no_event_is_told() -> None:
    site = site_with(SOURCES)
    with capture_logs() as lines:
        assert 200 == from_shopify(site, "themes/publish", {"id": 1}).status_code
    assert ["unknown_topic"] == [line["reason"] for line in lines]
    assert (1, []) == (
        site.count("webhooks_refused_total", source="shop", reason="unknown_topic"),
        site.publisher.outputs,
    )


def test_what_becomes_an_event_is_no_refusal() -> None:
    site = site_with(SOURCES)
    assert (200, []) == told(site, "?key=hush", GOOD)
    assert 1 == len(site.events)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b'{"kind": ', "invalid_json"), (b"\xff\xfe", "invalid_body"), (b'{"kind":"contact"}', "no_user_anon_id")],
)
def test_a_body_of_who_may_post_is_kept_and_that_of_a_stranger_is_not(body: bytes, reason: str) -> None:
    site = site_with(SOURCES)
    told(site, "?key=wrong", body)
    assert [] == site.publisher.outputs
    told(site, "?key=hush", body)
    assert [(reason, body)] == [(letter.reason, letter.value) for letter in site.letters]
    assert 1 == site.count("dead_letters_total", topic="events", reason=reason)


def test_a_line_says_how_often_since_the_last_one_of_ten_minutes_ago() -> None:
    now = [0]
    metrics = Metrics()
    refusals = Refusals(metrics, lambda: now[0])
    with capture_logs() as lines:
        for now[0] in (0, 1_000, 599_999, 600_000):
            refusals.note("crm", "invalid_signature", "wrong")
        refusals.note("crm", "invalid_json", "broken")
        refusals.note("shop", "invalid_signature", "wrong")
    assert [("crm", "invalid_signature", 1), ("crm", "invalid_signature", 3)] == [
        (line["source"], line["reason"], line["times"]) for line in lines[:2]
    ]
    assert [("crm", "invalid_json", 1), ("shop", "invalid_signature", 1)] == [
        (line["source"], line["reason"], line["times"]) for line in lines[2:]
    ]
    labels = {"source": "crm", "reason": "invalid_signature"}
    assert 4 == metrics.registry.get_sample_value("kikkake_webhooks_refused_total", labels)
