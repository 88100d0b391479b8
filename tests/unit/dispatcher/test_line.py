"""LINE's message objects: what of a template becomes which of them. tests/sdks has them read by LINE's own SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.dispatcher.errors import RefusedError
from tests.providers.line import LINE, USER
from tests.servers.provider import ProviderServer

FLEX = {"type": "flex", "contents": {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": []}}}


async def pushed(parts: Mapping[str, str]) -> dict[str, Any]:
    async with ProviderServer(LINE.face) as server:
        provider = LINE.make(server.url)
        try:
            await provider.send(LINE.message(server.url, parts=parts))
        finally:
            await provider.close()
        [asked] = server.accepted
    assert ("/v2/bot/message/push", "Bearer t0ken") == (asked.path, asked.headers["authorization"])
    return dict(asked.json())


async def test_a_text_is_one_message() -> None:
    body = await pushed({"text": "Hello こんにちは"})
    assert {"to": USER, "messages": [{"type": "text", "text": "Hello こんにちは"}]} == body


async def test_messages_are_sent_in_place_of_the_text_which_is_what_is_shown_of_them() -> None:
    sticker = {"type": "sticker", "packageId": "446", "stickerId": "1988"}
    body = await pushed({"text": "Your coupon", "messages": json.dumps([FLEX, FLEX | {"altText": "Mine"}, sticker])})
    assert [FLEX["type"], FLEX["type"], "sticker"] == [one["type"] for one in body["messages"]]
    assert ["Your coupon", "Mine"] == [one["altText"] for one in body["messages"][:2]]
    assert "altText" not in body["messages"][2]


@pytest.mark.parametrize(
    "messages", ["", "{}", "[]", "[1]", '[{"type": "text"}', json.dumps([{"type": "text", "text": "x"}] * 6)]
)
async def test_what_is_no_list_of_messages_is_refused_before_anybody_is_asked(messages: str) -> None:
    with pytest.raises(RefusedError, match="`messages`"):
        await pushed({"text": "Hello", "messages": messages})


async def test_a_text_has_5000_utf_16_units() -> None:
    assert 2_500 == len((await pushed({"text": "😀" * 2_500}))["messages"][0]["text"])
    with pytest.raises(RefusedError, match="longer than 5000"):
        await pushed({"text": "😀" * 2_501})


def test_other_ids_are_not_taken() -> None:
    provider = LINE.make("http://127.0.0.1:1")
    assert provider.takes("U" + "0" * 32)
    assert provider.takes("C" + "f" * 32)
    for address in ("", "u:aki", "U123", "U" + "0" * 33, "+819012345678", "U" + "G" * 32):
        assert not provider.takes(address)
