"""The services that are known, asked as their documentation says and answered as it shows."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from typing import Any

import pytest

from services.dispatcher.connectors.base import Request
from services.dispatcher.connectors.file import parse_connectors
from services.dispatcher.connectors.http import HttpConnector
from services.dispatcher.errors import MisconfiguredError, RefusedError, TemporaryError, UnavailableError
from tests.servers.provider import Asked, Face, ProviderServer, Reply

SECRETS = {"KEY": "s3cret"}
ID = "3f0c5a34-0000-5000-8000-000000000001"


def server(*replies: Reply, aside: Any = lambda _: None) -> ProviderServer:
    """Answer with ``replies`` one after another."""
    waiting = deque(replies)
    return ProviderServer(Face(accept=lambda _asked, _number: waiting.popleft(), aside=aside))


def connector(text: str) -> HttpConnector:
    file = f"schema: connectors/v1\nconnectors:\n  it: {text}\n"
    return HttpConnector(parse_connectors("connectors.yaml", file, SECRETS)["it"])


async def call(text: str, arguments: dict[str, Any]) -> Any:
    asked = connector(text)
    try:
        return await asked.call(Request(command_id=ID, contact="u:aki", arguments=arguments))
    finally:
        await asked.close()


def json_of(said: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(said).encode())


async def test_hubspot_creates_or_changes_a_contact() -> None:
    said = {
        "status": "COMPLETE",
        "results": [{"id": "512", "properties": {"email": "a@b.example"}, "new": True, "archived": False}],
    }
    async with server(json_of(said)) as hubspot:
        kind = f"{{kind: hubspot_contact, base_url: '{hubspot.url}', auth: {{bearer: {{env: KEY}}}}}}"
        arguments = {"email": "a@b.example", "properties": {"firstname": "Aki", "points": 3}}
        assert {"id": "512"} == await call(kind, arguments)
    [asked] = hubspot.accepted
    assert ("POST", "/crm/v3/objects/contacts/batch/upsert") == (asked.method, asked.path)
    assert "Bearer s3cret" == asked.headers["authorization"]
    wanted = {"idProperty": "email", "id": "a@b.example", "properties": {"firstname": "Aki", "points": 3}}
    assert {"inputs": [wanted]} == asked.json()


async def test_hubspots_refused_input_is_refused_though_the_batch_is_well() -> None:
    said = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{"category": "VALIDATION_ERROR"}]}
    async with server(json_of(said, 207)) as hubspot:
        with pytest.raises(RefusedError, match=r"^HTTP 207$"):
            await call(
                f"{{kind: hubspot_contact, base_url: '{hubspot.url}'}}", {"email": "a@b.example", "properties": {}}
            )


async def test_hubspot_writes_a_note() -> None:
    async with server(json_of({"id": "17689395171", "properties": {}}, 201)) as hubspot:
        arguments = {"text": "Cart left", "contact_id": "512", "at": "2026-03-02T10:45:00Z"}
        assert {"id": "17689395171"} == await call(f"{{kind: hubspot_note, base_url: '{hubspot.url}'}}", arguments)
    body = hubspot.accepted[0].json()
    assert {"hs_timestamp": "2026-03-02T10:45:00Z", "hs_note_body": "Cart left"} == body["properties"]
    assert ({"id": "512"}, 202) == (
        body["associations"][0]["to"],
        body["associations"][0]["types"][0]["associationTypeId"],
    )


async def test_zendesk_opens_one_ticket_for_one_call() -> None:
    async with server(json_of({"ticket": {"id": 35436, "status": "new"}, "audit": {}}, 201)) as zendesk:
        login = "auth: {basic: {user: bot@shop.example/token, password: {env: KEY}}}"
        arguments = {"subject": "Broken", "text": "The kettle", "email": "a@b.example", "name": "Aki"}
        assert {"id": 35436} == await call(f"{{kind: zendesk_ticket, base_url: '{zendesk.url}', {login}}}", arguments)
    [asked] = zendesk.accepted
    assert ("/api/v2/tickets.json", ID) == (asked.path, asked.headers["idempotency-key"])
    assert b"bot@shop.example/token:s3cret" == base64.b64decode(asked.headers["authorization"].removeprefix("Basic "))
    assert {"email": "a@b.example", "name": "Aki"} == asked.json()["ticket"]["requester"]


class Salesforce:
    """Its token server grants ``00D1``, ``00D2``, …, and says nothing of how long they last."""

    def __init__(self, *granted: Reply) -> None:
        self.granted = deque(granted)
        self.grants: list[Asked] = []

    def __call__(self, asked: Asked) -> Reply | None:
        if asked.path != "/services/oauth2/token":
            return None
        self.grants.append(asked)
        token = {"access_token": f"00D{len(self.grants)}", "token_type": "Bearer", "instance_url": "https://x"}
        return self.granted.popleft() if self.granted else json_of(token)


def salesforce(url: str) -> str:
    client = f"token_url: '{url}/services/oauth2/token', client_id: 'a:b', client_secret: {{env: KEY}}"
    return f"{{kind: salesforce_upsert, base_url: '{url}', auth: {{oauth2: {{{client}}}}}}}"


UPSERT = {"object": "Contact", "field": "Shop_Id__c", "id": "aki/1", "values": {"LastName": "Aki"}}


async def test_salesforce_creates_or_changes_a_record_with_one_token_for_all_calls() -> None:
    tokens = Salesforce()
    created = json_of({"id": "00190000001pPvHAAU", "success": True, "errors": [], "created": True}, 201)
    async with server(created, Reply(204), Reply(204), aside=tokens) as there:
        asked = connector(salesforce(there.url))
        request = Request(command_id=ID, contact="u:aki", arguments=UPSERT)
        assert {"id": "00190000001pPvHAAU"} == await asked.call(request)
        assert [None] * 2 == list(await asyncio.gather(asked.call(request), asked.call(request)))
        await asked.close()
    [grant] = tokens.grants
    assert b"grant_type=client_credentials" == grant.body
    assert b"a%3Ab:s3cret" == base64.b64decode(grant.headers["authorization"].removeprefix("Basic "))
    first = there.accepted[0]
    assert ("PATCH", "/services/data/v62.0/sobjects/Contact/Shop_Id__c/aki%2F1") == (first.method, first.path)
    assert ({"LastName": "Aki"}, "Bearer 00D1") == (first.json(), first.headers["authorization"])


async def test_a_token_that_salesforce_does_not_know_any_more_is_fetched_anew() -> None:
    tokens = Salesforce()
    async with server(Reply(204), aside=tokens) as there:
        there.script(json_of([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], 401))
        asked = connector(salesforce(there.url))
        request = Request(command_id=ID, contact="u:aki", arguments=UPSERT)
        with pytest.raises(TemporaryError, match="the token is not accepted"):
            await asked.call(request)
        await asked.call(request)
        await asked.close()
    assert ["Bearer 00D1", "Bearer 00D2"] == [one.headers["authorization"] for one in there.asked]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (
            json_of({"error": "invalid_client", "error_description": "invalid client credentials"}, 400),
            MisconfiguredError,
        ),
        (json_of({"error": "invalid_grant"}, 401), MisconfiguredError),
        (Reply(503), UnavailableError),
        (Reply(200, b"<html>"), UnavailableError),
    ],
)
async def test_without_a_token_nothing_is_asked(reply: Reply, error: type[Exception]) -> None:
    async with server(aside=Salesforce(reply)) as there:
        with pytest.raises(error, match=f"^the token server: HTTP {reply.status}$") as caught:
            await call(salesforce(there.url), UPSERT)
        assert error is type(caught.value)
    assert [] == there.asked


async def test_a_wrong_password_of_ours_is_not_asked_again() -> None:
    async with server(Reply(401)) as there:
        with pytest.raises(RefusedError, match=r"^HTTP 401$"):
            await call(f"{{url: '{there.url}/x', auth: {{bearer: {{env: KEY}}}}}}", {})


async def test_a_call_fills_the_url_and_the_body_of_ones_own_api() -> None:
    async with server(Reply(204)) as there:
        url = f"{there.url}/members/{{arguments.member}}/points?by={{contact}}"
        body = (
            '{amount: "{arguments.points}", why: "cart {arguments.cart.id} of {arguments.n}", at: [1, "{command_id}"]}'
        )
        await call(
            f"{{url: '{url}', body: {body}}}", {"member": "a/../b?c#d", "points": 3, "cart": {"id": "k1"}, "n": 2}
        )
    [asked] = there.accepted
    assert "/members/a%2F..%2Fb%3Fc%23d/points?by=u%3Aaki" == asked.path
    assert {"amount": 3, "why": "cart k1 of 2", "at": [1, ID]} == asked.json()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`arguments.member` is missing"),
        ({"member": None}, "`arguments.member` is missing"),
        ({"member": ".."}, "empty or dots"),
        ({"member": ""}, "empty or dots"),
    ],
)
async def test_a_call_that_lacks_a_value_is_refused_before_anybody_is_asked(arguments: Any, said: str) -> None:
    async with server() as there:
        with pytest.raises(RefusedError, match=said):
            await call(f"{{url: '{there.url}/members/{{arguments.member}}'}}", arguments)
    assert [] == there.asked
