"""What a push service is told of a message, what the browser reads, and which subscriptions and keys are none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from services.dispatcher.channels.aes128gcm import LARGEST, encrypt
from services.dispatcher.channels.registry import KINDS
from services.dispatcher.errors import DeadAddressError, RefusedError
from shared.clock import HOUR, SECOND, system_clock
from shared.errors import ConfigurationError
from tests.builders import at
from tests.providers.base import ID
from tests.providers.fcm import account
from tests.providers.web_push import WEB_PUSH, b64url, read, subscription, vapid_claims, vapid_key
from tests.servers.provider import Asked, ProviderServer

# What stands in the JSON beside title and body.
AROUND = len(json.dumps({"title": "", "body": "", "message_id": ID}, separators=(",", ":")))


def bytes_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def pushed(settings: dict[str, Any] | None = None, **message: Any) -> Asked:
    async with ProviderServer(WEB_PUSH.face) as server:
        provider = WEB_PUSH.make(server.url, **(settings or {}))
        try:
            await provider.send(WEB_PUSH.message(server.url, **message))
        finally:
            await provider.close()
        return server.accepted[0]


def test_the_example_of_rfc_8291_is_encrypted_byte_for_byte() -> None:
    """RFC 8291, 5 and appendix A."""
    made = encrypt(
        b"When I grow up, I want to be a watermelon",
        bytes_of("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        bytes_of("BTBZMqHH6r4Tts7J_aSIgg"),
        key=derive_private_key(
            int.from_bytes(bytes_of("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), SECP256R1()
        ),
        salt=bytes_of("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    ) == b64url(made)


async def test_the_browser_reads_what_was_rendered_and_nobody_on_the_way() -> None:
    said = await pushed()
    assert {
        "title": "Hello こんにちは",
        "body": "Your cart",
        "message_id": ID,
        "url": "https://shop.example/cart",
    } == read(said)
    assert b"Your cart" not in said.body


async def test_the_push_service_is_told_how_long_how_urgent_and_what_it_replaces() -> None:
    said = await pushed(expires_at=at("12:10"), purpose="transactional")
    assert ("600", "high") == (said.headers["ttl"], said.headers["urgency"])
    said = await pushed()
    assert ("2419200", "normal") == (said.headers["ttl"], said.headers["urgency"])
    # RFC 8030, 5.4: 32 characters of base64url at most.
    assert bytes.fromhex(ID.replace("-", "")) == bytes_of(said.headers["topic"])
    assert 22 == len(said.headers["topic"])


async def test_the_token_says_whom_to_call_and_ends_within_a_day() -> None:
    before = system_clock() // SECOND
    claims = vapid_claims(await pushed())
    assert "mailto:push@shop.example" == claims["sub"]
    assert before + 12 * HOUR // SECOND <= int(claims["exp"]) <= system_clock() // SECOND + 12 * HOUR // SECOND


async def test_a_message_fills_the_4096_bytes_and_no_more() -> None:
    room = LARGEST - AROUND
    assert 4096 == len((await pushed(parts={"title": "", "body": "a" * room})).body)
    with pytest.raises(RefusedError, match=f"larger than {LARGEST} bytes"):
        await pushed(parts={"title": "", "body": "a" * (room + 1)})


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://push.example/e1",
        "{}",
        '{"endpoint": "https://push.example/e1"}',
        '{"endpoint": "https://push.example/e1", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
        '{"endpoint": "https://push.example/e1", "keys": {"p256dh": "あ", "auth": "AAAA"}}',
        json.dumps(
            {"endpoint": "https://push.example/e1", "keys": {"p256dh": b64url(b"\x04" + b"\x01" * 64), "auth": ""}}
        ),
    ],
)
async def test_what_is_no_subscription_is_dead_before_anybody_is_asked(address: str) -> None:
    with pytest.raises(DeadAddressError, match=r"^not a push subscription$") as caught:
        await pushed(address=address)
    assert "invalid" == caught.value.why


@pytest.mark.parametrize("endpoint", ["https://127.0.0.1/e1", "https://169.254.169.254/", "http://push.example/e1"])
async def test_an_endpoint_reaches_nothing_inside(endpoint: str) -> None:
    with pytest.raises(RefusedError):
        await pushed({"allow": ()}, address=subscription(endpoint))


async def test_the_key_may_be_the_32_bytes_that_web_push_tools_make() -> None:
    scalar = vapid_key().private_numbers().private_value.to_bytes(32, "big")
    said = await pushed({"private_key": b64url(scalar)})
    assert (
        said.headers["authorization"].partition("k=")[2] == (await pushed()).headers["authorization"].partition("k=")[2]
    )


@pytest.mark.parametrize("key", ["", "AAAA", "not a key!", account("")["private_key"], b64url(b"\x00" * 32)])
def test_a_key_that_is_none_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="`private_key` is no VAPID key") as caught:
        WEB_PUSH.make("", private_key=key)
    assert "BEGIN" not in str(caught.value)


def test_push_services_need_a_contact() -> None:
    with pytest.raises(ConfigurationError, match="`contact` is no URL; write `mailto:`"):
        WEB_PUSH.make("", contact="push@shop.example")


def test_each_push_service_answers_for_itself() -> None:
    party = KINDS["web_push"].party
    assert party is not None
    assert ["push.example", "push.example", "other.example:8443", ""] == [
        party(subscription("https://push.example/e1")),
        party(subscription("https://push.example/e2")),
        party(subscription("https://other.example:8443/e1")),
        party("not a subscription"),
    ]
