"""What each key may do, as its source's clients see it."""

from __future__ import annotations

import gzip
import hashlib
from ipaddress import ip_network

import pytest

from services.ingest.admission import AddressRule
from services.ingest.keys import AdminToken, KeyRing, Keys, Source, WriteKey
from services.ingest.limits import Limits
from services.ingest.origins import origins_of
from services.ingest.rates import Rate
from tests.unit.ingest.sites import NOW, WK, Site, a_track

SHOP = "https://shop.example"


def site(*, not_after: int | None = None, rate: Rate | None = None, **source: object) -> Site:
    made = Source(name="shop", rate=rate, **source)  # type: ignore[arg-type]
    keys = Keys(write_keys={key: WriteKey(source=made, not_after=not_after) for key in ("WK", "WK2")})
    return Site(keys=KeyRing(keys), addresses=AddressRule(trusted=[ip_network("10.0.0.0/8")]))


def test_too_fast() -> None:
    """429 before anything is accepted, with the seconds to wait in both headers; the keys of a source share it."""
    made = site(rate=Rate(per_second=0.4, burst=2))
    assert [200, 200] == [made.post("/v1/track", a_track()).status_code for _ in range(2)]
    for answer in (made.post("/v1/track", a_track()), made.post("/v1/track", a_track(), auth=("WK2", ""))):
        assert (429, "rate_limited") == (answer.status_code, answer.json()["code"])
        assert ("3", "3") == (answer.headers["retry-after"], answer.headers["x-ratelimit-reset"])
    assert 2 == len(made.events)
    made.ticks.now += 2_500
    assert 200 == made.post("/v1/track", a_track()).status_code


def test_a_batch_costs_its_events() -> None:
    made = site(rate=Rate(per_second=1, burst=10))
    assert 200 == made.post("/v1/batch", {"batch": [a_track() for _ in range(30)]}).status_code
    assert "21" == made.post("/v1/track", a_track()).headers["retry-after"]


def test_posthogs_libraries_are_held_back_by_a_503() -> None:
    """posthog-js drops what any 4xx answers, 429 included."""
    made = site(rate=Rate(per_second=0.5, burst=1))
    event = {"event": "X", "distinct_id": "u1"}
    answers = [made.post("/e/", event) for _ in range(2)]
    assert [200, 503] == [answer.status_code for answer in answers]
    assert ("rate_limited", "2") == (answers[1].json()["code"], answers[1].headers["retry-after"])
    assert 1 == made.count("ingest_requests_total", format="posthog", status="503", attempt="first")


def test_the_rate_is_asked_before_the_body_is_looked_at() -> None:
    made = site(rate=Rate(per_second=1, burst=1))
    made.post("/v1/track", a_track())
    assert 429 == made.http.post("/v1/track", content=b"x" * 2_000_000, auth=WK).status_code


def test_a_key_in_the_body_has_its_rate_too() -> None:
    made = site(rate=Rate(per_second=1, burst=1))
    answers = [made.post("/v1/track", a_track(writeKey="WK"), auth=None).status_code for _ in range(2)]
    assert [200, 429] == answers


def test_a_page_can_read_when_to_come_back() -> None:
    made = site(rate=Rate(per_second=1, burst=1))
    answers = [made.post("/v1/track", a_track(), headers={"origin": SHOP}) for _ in range(2)]
    assert "Retry-After, X-RateLimit-Reset" == answers[1].headers["access-control-expose-headers"]


def test_a_key_that_has_ended() -> None:
    made = site(not_after=NOW + 1)
    assert 200 == made.post("/v1/track", a_track()).status_code
    made.clock.now = NOW + 1
    answer = made.post("/v1/track", a_track())
    assert (401, "write_key_expired") == (answer.status_code, answer.json()["code"])
    assert 404 == made.http.get("/v1/projects/WK/settings").status_code


def test_types_that_the_source_may_not_send() -> None:
    """Alone it is refused; in a batch it is named, and the others are taken."""
    made = site(allow=frozenset({"track"}))
    answer = made.post("/v1/consent", {"userId": "u1", "topic": "t", "status": "granted"})
    assert (403, "not_allowed") == (answer.status_code, answer.json()["code"])
    answer = made.post("/v1/batch", {"batch": [a_track(), {"type": "page", "userId": "u1"}]})
    assert [(1, "not_allowed")] == [(error["index"], error["code"]) for error in answer.json()["errors"]]
    assert ["track"] == [event.type for event in made.events]


def test_pages_of_another_site() -> None:
    made = site(origins=origins_of([SHOP]))
    assert 200 == made.post("/v1/track", a_track(), headers={"origin": SHOP}).status_code
    assert 200 == made.post("/v1/track", a_track()).status_code
    answer = made.post("/v1/track", a_track(), headers={"origin": "https://evil.example"})
    assert (403, "origin_not_allowed") == (answer.status_code, answer.json()["code"])


def test_origins_for_all_keys() -> None:
    made = Site(origins=origins_of([SHOP]))

    def preflight(origin: str) -> tuple[int, str | None]:
        asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "sentat"}
        answer = made.http.options("/v1/t", headers=asked)
        return answer.status_code, answer.headers.get("access-control-allow-origin")

    assert (200, SHOP) == preflight(SHOP)
    assert (400, None) == preflight("https://evil.example")


@pytest.mark.parametrize(
    ("limits", "body", "status", "code"),
    [
        (Limits(body_bytes=200), a_track(properties={"a": "x" * 200}), 413, "too_large"),
        (Limits(event_bytes=100), a_track(properties={"a": "x" * 100}), 413, "event_too_large"),
        (Limits(depth=2), a_track(properties={"a": {"b": 1}}), 400, "too_deep"),
        (Limits(string_length=9), a_track(properties={"a": "x" * 10}), 400, "string_too_long"),
        (Limits(properties=4), a_track(properties={"a": 1, "b": 2}), 400, "too_many_properties"),
    ],
)
def test_a_sources_own_limits(limits: Limits, body: object, status: int, code: str) -> None:
    answer = site(limits=limits).post("/v1/track", body)
    assert (status, code) == (answer.status_code, answer.json()["code"])


def test_a_sources_own_batch() -> None:
    made = site(limits=Limits(batch_events=2, batch_bytes=400))
    assert 413 == made.post("/v1/batch", {"batch": [a_track() for _ in range(3)]}).status_code
    assert 413 == made.post("/v1/batch", {"batch": [a_track(properties={"a": "x" * 400})]}).status_code


def test_gzip_counts_as_what_it_inflates_to() -> None:
    made = site(limits=Limits(body_bytes=10_000))
    answer = made.http.post("/v1/track", content=gzip.compress(b"0" * 10_001), auth=WK)
    assert (413, "too_large") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("side", "context", "kept"),
    [("client", {}, "203.0.113.0"), ("server", {}, None), ("server", {"direct": True}, "203.0.113.0")],
)
def test_the_clients_address(side: str, context: dict[str, object], kept: str | None) -> None:
    made = site(side=side)
    made.http = type(made.http)(made.http.app, client=("10.0.0.1", 1), raise_server_exceptions=False)
    made.post("/v1/track", a_track(context=context), headers={"x-forwarded-for": "1.1.1.1, 203.0.113.9"})
    assert kept == made.events[0].context.get("ip")


def test_metrics_name_the_source_and_never_the_key() -> None:
    made = site()
    made.post("/v1/batch", {"batch": [a_track(), a_track(userId="null")]})
    made.post("/v1/track", a_track(userId="null"))
    made.post("/v1/track", a_track(), auth=("somebody", ""))
    counted = {
        (source, outcome): made.count("source_events_total", source=source, outcome=outcome)
        for source in ("shop", "")
        for outcome in ("accepted", "rejected", "refused")
    }
    expected = {("shop", "accepted"): 1, ("shop", "rejected"): 2, ("", "refused"): 1}
    assert {**dict.fromkeys(counted, 0.0), **expected} == counted
    assert '"WK' not in made.http.get("/metrics").text


def test_admins_of_the_file() -> None:
    """Named by the hash of their token alone, until their time is over; beside the one of the setting."""
    crm = AdminToken(name="crm", digest=hashlib.sha256(b"crm-token").digest(), not_after=NOW + 1)
    made = Site(keys=KeyRing(Keys(write_keys={}, admins=(crm,))), admin_token=None)

    def asked(token: str) -> tuple[int, str | None]:
        headers = {"authorization": f"Bearer {token}", "idempotency-key": "k"}
        answer = made.post("/v1/journeys/welcome/enrolments", {"userId": "u1"}, auth=None, headers=headers)
        return answer.status_code, answer.json().get("code")

    assert (202, None) == asked("crm-token")
    assert (401, "invalid_admin_token") == asked(hashlib.sha256(b"crm-token").hexdigest())
    made.clock.now = NOW + 1
    assert (401, "no_admin_token") == asked("crm-token")
