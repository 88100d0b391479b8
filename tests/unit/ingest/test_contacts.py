"""``GET /v1/contacts/{id}``: who may ask, how often, and how each end of it is answered."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest
from starlette.testclient import TestClient

from services.ingest.app import create_app
from services.ingest.auth import Admin
from services.ingest.contacts import Find, Readers, create_contacts_router, not_set_up
from services.ingest.errors import ContactUnavailableError
from services.ingest.keys import plain_keys
from services.ingest.pace import Pace
from shared.messages.contact import ContactView
from shared.metrics import Metrics
from shared.tokens import Tokens
from tests.fakes import FakeClock, RecordingPublisher
from tests.unit.ingest.sites import ADMIN, always_ready

READER = "a-read-token-of-some-length"
OTHER = "another-read-token-while-rotating"


class Known:
    """Contacts that are known; notes who was asked for."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.asked: list[str] = []

    async def find(self, contact: str) -> bytes | None:
        self.asked.append(contact)
        return b'{"id": "known"}' if contact in self.keys else None


async def unavailable(_contact: str) -> bytes | None:
    raise ContactUnavailableError


def a_site(
    find: Find, *tokens: str, per_second: int = 100, clock: FakeClock | None = None, admin: str | None = None
) -> TestClient:
    metrics = Metrics()
    pace = Pace(per_second, clock or FakeClock())
    readers = Readers(Tokens(tokens), Admin(admin))
    return TestClient(
        create_app(
            publisher=RecordingPublisher(),
            keys=plain_keys(["WK"]),
            ready=always_ready,
            metrics=metrics,
            extra_routers=[create_contacts_router(find, readers, pace, metrics)],
        ),
        raise_server_exceptions=False,
    )


def ask(http: TestClient, contact: str = "u1", token: str | None = READER, **params: Any) -> httpx2.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return http.get(f"/v1/contacts/{contact}", headers=headers, params=params)


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json()["code"], answer.headers.get("retry-after")


def test_a_contact_is_answered_as_it_was_found_and_kept_by_no_cache() -> None:
    answer = ask(a_site(Known("u:u1").find, READER))
    assert (200, {"id": "known"}) == (answer.status_code, answer.json())
    assert ("application/json", "no-store") == (answer.headers["content-type"], answer.headers["cache-control"])


@pytest.mark.parametrize(
    ("path", "params", "key"),
    [
        ("u1", {}, "u:u1"),
        ("v1", {"anonymous": "true"}, "a:v1"),
        ("v1", {"anonymous": "false"}, "u:v1"),
        ("a:v1", {}, "u:a:v1"),
        ("a%2Fb", {}, "u:a/b"),
        ("aki%40shop.example", {}, "u:aki@shop.example"),
        ("%E4%BA%9C%E7%B4%80%20%3F", {}, "u:亜紀 ?"),
    ],
)
def test_an_id_is_a_users_unless_it_is_said_to_be_anonymous(path: str, params: dict[str, str], key: str) -> None:
    known = Known(key)
    assert 200 == ask(a_site(known.find, READER), path, **params).status_code
    assert [key] == known.asked


def test_every_token_opens_and_nothing_else_does() -> None:
    known = Known("u:u1")
    http = a_site(known.find, READER, OTHER)
    assert [200, 200] == [ask(http, token=token).status_code for token in (READER, OTHER)]
    for token in (None, "wrong", "", READER + "x", "WK"):
        assert (401, "invalid_read_token", None) == refusal(ask(http, token=token))
    assert ["u:u1", "u:u1"] == known.asked


def test_an_admin_may_read_also_where_there_are_no_read_tokens() -> None:
    for http in (a_site(Known("u:u1").find, admin=ADMIN), a_site(Known("u:u1").find, READER, admin=ADMIN)):
        assert 200 == ask(http, token=ADMIN).status_code
        assert (401, "invalid_read_token", None) == refusal(ask(http, token="wrong"))


def test_without_a_token_set_nobody_may() -> None:
    assert (401, "no_token", None) == refusal(ask(a_site(Known("u:u1").find)))


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        (Known().find, (404, "unknown_contact", None)),
        (unavailable, (503, "contact_unavailable", "1")),
        (not_set_up, (501, "contacts_not_set_up", None)),
    ],
    ids=["unknown", "unavailable", "not set up"],
)
def test_whoever_is_not_found_is_refused_with_a_code(find: Find, expected: tuple[int, str, str | None]) -> None:
    assert expected == refusal(ask(a_site(find, READER)))


def test_anonymous_is_true_or_false() -> None:
    assert (422, "invalid_request", None) == refusal(ask(a_site(Known().find, READER), anonymous="maybe"))


def test_no_id_is_nobody() -> None:
    known = Known()
    assert (404, "unknown_contact", None) == refusal(ask(a_site(known.find, READER), ""))
    assert [] == known.asked


def test_too_many_reads_are_put_off() -> None:
    clock = FakeClock()
    http = a_site(Known("u:u1").find, READER, per_second=2, clock=clock)
    assert [200, 200] == [ask(http).status_code for _ in range(2)]
    assert (429, "too_many_reads", "1") == refusal(ask(http))
    assert 401 == ask(http, token="wrong").status_code, "who may not ask learns nothing of how busy it is"
    clock.advance(500)
    assert [200, 429] == [ask(http).status_code for _ in range(2)]


def test_the_api_page_says_what_is_answered() -> None:
    described = a_site(Known().find, READER).get("/openapi.json").json()["paths"]["/v1/contacts/{id}"]["get"]
    assert {"200", "401", "404", "422", "429", "501", "503"} == set(described["responses"])
    content = described["responses"]["200"]["content"]["application/json"]
    assert set(ContactView.__struct_fields__) == set(content["schema"]["required"])
    assert "u1" == msgspec.convert(content["example"], ContactView).id
    assert "$ref" not in str(content)
    assert ["id", "anonymous"] == [parameter["name"] for parameter in described["parameters"]]
