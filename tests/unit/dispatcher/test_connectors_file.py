"""``connectors.yaml``: what the operator says, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.dispatcher.connectors.file import lanes_of, read_connectors
from services.dispatcher.connectors.http import HttpSettings
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError

WHOLE = """\
schema: connectors/v1
connectors:
  coupons.issue:
    url: https://coupons.example.com/issue
    method: PUT
    headers: {Authorization: {env: COUPONS_AUTHORIZATION}, X-Shop: kettles}
    timeout: 3s
    success: [200, 201]
    answer: {code: data.code}
    connections: 2
  local: {url: "http://127.0.0.1:9000/hook"}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "connectors.yaml"
    file.write_text(text)
    return file


def test_the_file_says_where_to_ask_and_secrets_come_from_the_environment(tmp_path: Path) -> None:
    found = read_connectors(written(tmp_path, WHOLE), {"COUPONS_AUTHORIZATION": "Bearer s3cret"})
    assert {
        "coupons.issue": HttpSettings(
            url="https://coupons.example.com/issue",
            method="PUT",
            headers={"Authorization": "Bearer s3cret", "X-Shop": "kettles"},
            timeout=3.0,
            success=frozenset({200, 201}),
            answer={"code": "data.code"},
            connections=2,
        ),
        "local": HttpSettings(url="http://127.0.0.1:9000/hook"),
    } == found
    assert {"coupons.issue", "local"} == lanes_of(found).keys()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{url: http://crm.example.com/}", "use https, or say `allow_http: true`"),
        ("{url: ftp://crm.example.com/}", "is not a URL"),
        ("{url: 'https://crm.example.com:port/'}", "is not a URL"),
        ("{url: https://me:secret@crm.example.com/}", "no password in a URL"),
        ("{method: POST}", "`url` is missing"),
        ("{url: https://a.example, method: GET}", "unknown method `GET`"),
        ("{url: https://a.example, headers: {Authorization: {env: MISSING}}}", "variable MISSING is not set"),
        ("{url: https://a.example, headers: {Idempotency-Key: x}}", "`Idempotency-Key` is set by Kikkake"),
        ("{url: https://a.example, timeout: 2h}", "an hour at most"),
        ("{url: https://a.example, retries: 3}", "unknown key `retries`"),
        ("{kind: hubspot, base_url: https://a.example}", "unknown kind of connector `hubspot`"),
        ("{kind: zendesk_ticket}", "`base_url` is missing"),
        ("{kind: zendesk_ticket, base_url: http://shop.zendesk.com}", "use https"),
        ("{kind: hubspot_note, base_url: https://a.example, url: https://a.example}", "a `kind` goes with `base_url`"),
        ("{base_url: https://a.example, url: https://a.example}", "a `kind` goes with `base_url`"),
        ("{url: 'https://{arguments.host}/'}", "no placeholder in the host"),
        ("{url: 'https://a.example/{argument.x}'}", "`{argument.x}` is no placeholder"),
        ("{url: https://a.example, body: {x: ['{contcat}']}}", "`{contcat}` is no placeholder"),
        ("{url: https://a.example, auth: {bearer: s3cret}}", "a secret is `{env: NAME}`"),
        ("{url: https://a.example, auth: {bearer: {env: MISSING}}}", "variable MISSING is not set"),
        ("{url: https://a.example, auth: {}}", "expected one of bearer, basic, oauth2"),
        ("{url: https://a.example, auth: {basic: {user: me}}}", "`password` is missing"),
        (
            "{url: https://a.example, auth: {oauth2: {client_id: a, token_url: https://b.example}}}",
            "`client_secret` is",
        ),
    ],
)
def test_a_slip_is_named_at_its_line(tmp_path: Path, line: str, fault: str) -> None:
    text = f"schema: connectors/v1\nconnectors:\n  crm: {line}\n"
    with pytest.raises(JourneyFaultsError) as caught:
        read_connectors(written(tmp_path, text), {})
    [found] = caught.value.faults
    assert 3 == found.line
    assert fault in found.message


def test_plain_http_is_for_who_says_so(tmp_path: Path) -> None:
    text = "schema: connectors/v1\nconnectors:\n  crm: {url: http://crm.internal/, allow_http: true}\n"
    assert "http://crm.internal/" == read_connectors(written(tmp_path, text), {})["crm"].url


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="which --connectors or KIKKAKE_CONNECTORS names"):
        read_connectors(tmp_path / "none.yaml", {})
