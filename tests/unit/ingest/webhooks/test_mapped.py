"""The generic webhook: JSON of a CRM or ERP, and forms, by expressions."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.webhooks.file import parse_webhooks, read_webhooks
from services.ingest.webhooks.shopify import signature
from shared.clock import from_iso
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from shared.messages import codec
from tests.unit.ingest.sites import Site
from tests.unit.ingest.webhooks.posting import ENVIRONMENT, SECRET, site_with

CRM = """\
  crm:
    hmac: {header: X-Signature, secret: {env: HUSH}, prefix: sha256=}
    events:
      - when: event.type == 'deal.won'
        event: "'Deal Won'"
        user_id: event.deal.contact.id
        message_id: event.id
        timestamp: event.at
        properties: {deal_id: event.deal.id, value: event.deal.amount, kind: 'context.headers["x-kind"]'}
      - when: event.type == 'deal.won'
        type: identify
        user_id: event.deal.contact.id
        message_id: event.id + '.traits'
        traits: event.deal.contact
      - when: event.type == 'news'
        type: consent
        user_id: event.who
        topic: "'news'"
        status: "event.yes ? 'granted' : 'revoked'"
"""
FORM = """\
  form:
    token: {query: key, secret: {env: HUSH}}
    events:
      - event: "'Form Submitted'"
        anonymous_id: "'form-' + event.email"
        properties: {form_id: "'contact'", tags: event.tag}
"""
WON = {
    "id": "e1",
    "type": "deal.won",
    "at": "2026-03-02T09:00:00Z",
    "deal": {"id": 7, "amount": 4200.5, "contact": {"id": 12, "name": "Aki"}},
}


def post(site: Site, body: Any, **headers: str) -> Any:
    raw = json.dumps(body).encode()
    said = {"X-Signature": f"sha256={hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()}", "X-Kind": "test"}
    return site.http.post("/v1/webhooks/crm", content=raw, headers={**said, **headers})


def test_a_request_makes_a_call_for_each_rule_that_holds() -> None:
    site = site_with(CRM)
    assert 200 == post(site, WON).status_code
    won, person = site.events
    assert ("track", "Deal Won", "12", "e1", from_iso("2026-03-02T09:00:00Z")) == (
        won.type,
        won.name,
        won.user_id,
        won.message_id,
        won.timestamp,
    )
    assert {"deal_id": 7, "value": 4200.5, "kind": "test"} == won.properties
    assert ("identify", {"id": 12, "name": "Aki"}, "e1.traits") == (person.type, person.traits, person.message_id)


def test_consent_can_come_by_webhook() -> None:
    site = site_with(CRM)
    post(site, {"type": "news", "who": "u1", "yes": False})
    assert [("Consent Revoked", "news")] == [(event.name, event.properties["topic"]) for event in site.events]


def test_what_no_rule_wants_is_acknowledged_and_a_missing_value_is_left_out() -> None:
    site = site_with(CRM)
    assert (200, []) == (post(site, {"type": "deal.lost"}).status_code, site.publisher.outputs)
    post(site, {**WON, "deal": {"contact": {"id": 12}}})
    assert {"kind": "test"} == site.events[0].properties


def test_all_of_a_requests_calls_are_taken_or_none() -> None:
    site = site_with(CRM)
    assert 200 == post(site, {**WON, "deal": {"id": 7, "contact": "nobody"}}).status_code
    [output] = site.publisher.outputs
    assert "no_user_anon_id" == codec.DEAD_LETTERS.decode(output.value).reason
    assert 1 == site.count("source_events_total", source="webhook_crm", outcome="rejected")


def test_a_form_is_read_by_its_fields() -> None:
    site = site_with(FORM)
    body = urlencode([("email", "aki@shop.example"), ("tag", "a"), ("tag", "b"), ("note", "")])
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert 200 == site.http.post("/v1/webhooks/form?key=hush", content=body, headers=kind).status_code
    [event] = site.events
    assert ("form-aki@shop.example", {"form_id": "contact", "tags": ["a", "b"]}) == (
        event.anonymous_id,
        event.properties,
    )


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/webhooks/form?key=hush", b"\xff\xfe", 400, "invalid_body"),
        ("/v1/webhooks/form?key=hush", b"{", 400, "invalid_json"),
        ("/v1/webhooks/form?key=hus", b"email=a", 401, "invalid_signature"),
        ("/v1/webhooks/form", b"email=a", 401, "invalid_signature"),
        ("/v1/webhooks/nobody", b"{}", 404, "not_found"),
        ("/v1/webhooks/form?key=hush", b"a=" + b"x" * 1_100_000, 413, "too_large"),
    ],
)
def test_what_is_refused_says_why(path: str, body: bytes, status: int, code: str) -> None:
    site = site_with(FORM)
    answer = site.http.post(path, content=body)
    assert (status, code) == (answer.status_code, answer.json()["code"])
    assert [] == site.events


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as error:
        parse_webhooks("w.yaml", f"schema: webhooks/v1\nsources:\n{text}", ENVIRONMENT)
    return [line.removeprefix("w.yaml:") for line in str(error.value).splitlines()]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  crm:", "  CRM:", "`CRM` is not a source's name"),
        ("env: HUSH", "env: LOUD", "the environment variable LOUD is not set"),
        ("{env: HUSH}", "hush", "a secret is `{env: NAME}` or `{file: PATH}`"),
        ("{env: HUSH}", "{}", "a secret is `{env: NAME}` or `{file: PATH}`"),
        ("{env: HUSH}", "{file: /nowhere}", "the secret's file `/nowhere` cannot be read: No such file"),
        ("{env: HUSH}", '{file: "a\\0b"}', "cannot be read: embedded null byte"),
        ("prefix", "prefx", "unknown key `prefx`; did you mean `prefix`?"),
        ("hmac: {", "token: {header: X, secret: {env: HUSH}}\n    hmac: {", "nothing says how it proves itself"),
        ("event.deal.id", "event.deal.", "of the expression)"),
        ("event.deal.id", "body.deal.id", "unknown root `body`"),
        ("event.deal.id", "contact.id", "`contact.id` is not known here; the body is `event`"),
        ("        event: \"'Deal Won'\"\n", "", "`event` is missing; write an expression"),
        ("        user_id: event.who\n", "", "nothing says whose event it is; write `user_id` or `anonymous_id`"),
        ("type: consent", "type: consnt", "unknown type `consnt`; did you mean `consent`?"),
        (
            "hmac: {",
            "kind: shopify\n    secret: {env: HUSH}\n    hmac: {",
            "unknown key `hmac`; known: consent, kind, secret",
        ),
        ("hmac: {", "kind: shopfy\n    hmac: {", "unknown kind `shopfy`; did you mean `shopify`?"),
        ("hmac: {", "secret: {env: HUSH}\n    hmac: {", "unknown key `secret`; known: events, hmac, kind, token"),
    ],
)
def test_a_fault_says_its_line_and_what_to_do(old: str, new: str, expected: str) -> None:
    assert old in CRM
    found = faults(CRM.replace(old, new, 1))
    assert any(expected in fault for fault in found), found
    assert all(fault.partition(":")[0].isdigit() for fault in found)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    file = tmp_path / "webhooks.yaml"
    file.write_text(f"schema: webhooks/v1\nsources:\n  shop: {{kind: shopify, secret: {{file: {tmp_path}/secret}}}}\n")
    assert signature(b"hush") == read_webhooks(file, {})["shop"].credentials
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(JourneyFaultsError, match="the file of the secret is empty"):
        read_webhooks(file, {})
    with pytest.raises(ConfigurationError, match="KIKKAKE_WEBHOOKS"):
        read_webhooks(tmp_path / "nowhere.yaml", {})


def test_a_secret_in_the_file_itself_is_not_told_on() -> None:
    [fault] = faults("  shop: {kind: shopify, secret: tops3cret}\n")
    assert "tops3cret" not in fault
