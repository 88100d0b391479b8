"""Where each client puts its write key (docs: interfaces, A2)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from services.ingest.auth import _basic_user, authorize
from services.ingest.errors import UnauthorizedError
from services.ingest.keys import plain_keys

KEYS = plain_keys(["WK", "WK2"]).keys
NOW = 0


def basic(credentials: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "body", "query"),
    [
        (basic("WK:"), {}, {}),
        (basic("WK"), {}, {}),
        (basic("WK:anything"), {}, {}),
        ({"authorization": "basic " + base64.b64encode(b"WK:").decode()}, {}, {}),
        ({"x-write-key": "WK"}, {}, {}),
        ({"authorization": "Bearer WK"}, {}, {}),
        ({}, {"writeKey": "WK"}, {}),
        ({}, {"api_key": "WK"}, {}),
        ({}, {}, {"writeKey": "WK"}),
    ],
    ids=["basic", "no-colon", "password", "lower-case", "header", "bearer", "body", "posthog", "query"],
)
def test_every_place_is_looked_at(
    headers: Mapping[str, str], body: Mapping[str, object], query: Mapping[str, str]
) -> None:
    assert "WK" == authorize(headers, body, query, KEYS, NOW)


def test_credentials_that_are_too_long_are_not_kept_in_memory() -> None:
    known = _basic_user.cache_info().currsize
    with pytest.raises(UnauthorizedError):
        authorize(basic("x" * 10_000), {}, {}, KEYS, NOW)
    assert known == _basic_user.cache_info().currsize


def test_the_places_count_in_their_order() -> None:
    assert "WK" == authorize({**basic("WK:"), "x-write-key": "WK2"}, {"writeKey": "WK2"}, {}, KEYS, NOW)
    assert "WK" == authorize({"x-write-key": "WK", "authorization": "Bearer WK2"}, {}, {}, KEYS, NOW)
    assert "WK" == authorize({}, {"writeKey": "WK"}, {"writeKey": "WK2"}, KEYS, NOW)


def test_a_place_with_something_else_does_not_hide_the_key() -> None:
    """Segment's OAuth sends a token as Bearer; Jitsu masks the key in the body."""
    assert "WK" == authorize({"authorization": "Bearer a-token"}, {"writeKey": "WK"}, {}, KEYS, NOW)
    assert "WK" == authorize({"x-write-key": "WK"}, {"writeKey": "k:***"}, {}, KEYS, NOW)


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, {}, "missing_write_key"),
        ({}, {"writeKey": None}, "missing_write_key"),
        ({"authorization": "Basic ***"}, {}, "missing_write_key"),
        ({"authorization": ""}, {}, "missing_write_key"),
        (basic("other:"), {}, "invalid_write_key"),
        ({}, {"writeKey": "other"}, "invalid_write_key"),
    ],
)
def test_without_a_known_key_nothing_is_taken(
    headers: Mapping[str, str], body: Mapping[str, object], code: str
) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        authorize(headers, body, {}, KEYS, NOW)
    assert code == caught.value.code
