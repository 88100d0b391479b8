"""``POST /v1/journeys/{id}/enrolments``: the admin's wish becomes one Enrolment in the log."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from shared.messages import codec
from shared.messages.enrolment import Enrolment
from tests.unit.ingest.sites import ADMIN, NOW, Site

KNOWN = {"Authorization": f"Bearer {ADMIN}", "Idempotency-Key": "order-7"}
BODY = {"userId": "u1", "context": {"order": 7}}


def enrol(site: Site, body: object = BODY, *, journey: str = "win", **headers: str | None) -> httpx2.Response:
    sent = {**KNOWN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    kept = {name: value for name, value in sent.items() if value is not None}
    return site.post(f"/v1/journeys/{journey}/enrolments", body, auth=None, headers=kept)


def enrolments(site: Site) -> list[Enrolment]:
    found = [codec.EVENTS.decode(output.value) for output in site.publisher.outputs]
    return [message for message in found if isinstance(message, Enrolment)]


def test_202_means_that_the_enrolment_is_durable_under_its_contact() -> None:
    site = Site()
    answer = enrol(site)
    assert (202, {"success": True}) == (answer.status_code, answer.json())
    [wish] = enrolments(site)
    assert ("win", "u1", {"order": 7}, NOW, NOW) == (
        wish.journey,
        wish.user_id,
        wish.context,
        wish.timestamp,
        wish.received_at,
    )
    assert [b"u:u1"] == [output.key for output in site.publisher.outputs]
    assert 1 == site.count("events_accepted_total")


def test_one_key_is_one_enrolment_of_its_journey() -> None:
    site = Site()
    enrol(site)
    enrol(site, {**BODY, "context": {}})
    enrol(site, Idempotency_Key="order-8")
    enrol(site, journey="lose")
    first, again, other, elsewhere = (wish.message_id for wish in enrolments(site))
    assert first == again
    assert 3 == len({first, other, elsewhere})


def test_the_time_of_the_cause_may_be_said() -> None:
    site = Site()
    enrol(site, {"anonymousId": "a1", "timestamp": "2026-03-02T09:59:00Z"})
    [wish] = enrolments(site)
    assert ("a1", NOW - 60_000) == (wish.anonymous_id, wish.timestamp)


@pytest.mark.parametrize(
    "authorization", [None, "Bearer wrong", f"Basic {ADMIN}", "Bearer", f"Bearer {ADMIN}x", "Bearer WK"]
)
def test_who_has_no_admin_token_is_refused(authorization: str | None) -> None:
    site = Site()
    answer = enrol(site, Authorization=authorization)
    assert (401, "invalid_admin_token") == (answer.status_code, answer.json()["code"])
    assert [] == site.publisher.outputs


def test_without_a_token_set_nobody_may() -> None:
    site = Site(admin_token=None)
    assert (401, "no_admin_token") == (enrol(site).status_code, enrol(site).json()["code"])


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (BODY, {"Idempotency_Key": None}, "no_idempotency_key"),
        (BODY, {"Idempotency_Key": "x" * 256}, "no_idempotency_key"),
        ({"context": {}}, {}, "no_user_anon_id"),
        ({"userId": "null"}, {}, "illegal_distinct_id"),
        ({"userId": "u1", "context": []}, {}, "invalid_event"),
        ({"userId": "u1", "timestamp": "soon"}, {}, "invalid_timestamp"),
    ],
)
def test_what_breaks_a_rule_is_refused(body: object, headers: dict[str, Any], code: str) -> None:
    site = Site()
    answer = enrol(site, body, **headers)
    assert (400, code) == (answer.status_code, answer.json()["code"])
    assert [] == site.publisher.outputs


def test_an_enrolment_is_not_larger_than_an_event() -> None:
    answer = enrol(Site(), {"userId": "u1", "context": {"text": "x" * 40_000}})
    assert (413, "event_too_large") == (answer.status_code, answer.json()["code"])


def test_the_page_of_the_api_names_the_header() -> None:
    page = Site().http.get("/openapi.json").json()
    described = page["paths"]["/v1/journeys/{journey}/enrolments"]["post"]
    assert ([{"admin": []}], {"type": "http", "scheme": "bearer"}) == (
        described["security"],
        page["components"]["securitySchemes"]["admin"],
    )
    names = {(parameter["in"], parameter["name"]): parameter["required"] for parameter in described["parameters"]}
    assert {("path", "journey"): True, ("header", "Idempotency-Key"): True} == names
    assert {"202"} <= described["responses"].keys()


def test_every_example_of_the_api_page_is_taken() -> None:
    site = Site()
    paths = site.http.get("/openapi.json").json()["paths"]
    for path, headers, status in (
        ("/v1/journeys/{journey}/enrolments", KNOWN, 202),
        ("/v1/consent", {"X-Write-Key": "WK"}, 200),
    ):
        examples = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["examples"]
        assert 2 == len(examples)
        for example in examples:
            answer = site.post(path.replace("{journey}", "win"), example, auth=None, headers=headers)
            assert (status, {"success": True}) == (answer.status_code, answer.json())
    assert {b"u:u1", b"a:3c1f"} == {output.key for output in site.publisher.outputs}
