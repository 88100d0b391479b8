"""What the push services are told of a message, whose token is whose, and which keys are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.dispatcher.channels.apns import ApnsKey, ApnsProvider
from services.dispatcher.channels.fcm import FcmProvider, ServiceAccount
from services.dispatcher.errors import (
    DeadAddressError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from shared.clock import DAY, MINUTE, SECOND, system_clock
from shared.errors import ConfigurationError
from tests.builders import at
from tests.providers import apns, fcm
from tests.providers.base import ID, Case
from tests.servers.provider import Asked, Face, ProviderServer, Reply

FCM, APNS = fcm.FCM, apns.APNS
NOW = 1_750_000_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


def fcm_at(url: str, clock: Clock) -> FcmProvider:
    account = fcm.account(url)
    key = ServiceAccount(
        account["project_id"], account["client_email"], account["private_key"], token_uri=account["token_uri"]
    )
    return FcmProvider("fcm", key, base=url, timeout=5, connections=1, clock=clock)


def apns_at(url: str, clock: Clock) -> ApnsProvider:
    key = ApnsKey(apns.signing_key(), "KEY1234567", "TEAM123456")
    return ApnsProvider("apns", key, topic="com.example.shop", base=url, timeout=5, connections=1, clock=clock)


async def sent(case: Case, made: Any, **message: Any) -> Asked:
    async with ProviderServer(case.face) as server:
        provider = made(server.url, Clock())
        try:
            await provider.send(case.message(server.url, **message))
        finally:
            await provider.close()
        return server.accepted[0]


# FCM's own server compares the assertion's times with the real clock; here the fake one would.
def fcm_now(url: str, _: Clock) -> FcmProvider:
    clock = Clock()
    clock.now = system_clock()
    return fcm_at(url, clock)


async def test_fcm_is_told_how_long_how_urgent_and_what_it_replaces() -> None:
    message = (await sent(FCM, fcm_now, expires_at=at("12:10"))).json()["message"]
    assert {"ttl": "600s", "priority": "NORMAL", "notification": {"tag": ID}} == message["android"]
    assert {"title": "Hello こんにちは", "body": "Your cart"} == message["notification"]
    assert {"message_id": ID, "url": "https://shop.example/cart"} == message["data"]
    assert ("5", ID) == tuple(message["apns"]["headers"][name] for name in ("apns-priority", "apns-collapse-id"))
    message = (await sent(FCM, fcm_now, purpose="transactional")).json()["message"]
    assert ("2419200s", "HIGH") == (message["android"]["ttl"], message["android"]["priority"])
    assert "10" == message["apns"]["headers"]["apns-priority"]


@pytest.mark.parametrize(
    ("message", "wait", "priority"),
    [
        ({"expires_at": at("12:10")}, 10 * MINUTE, "5"),
        ({"expires_at": at("11:00"), "purpose": "transactional"}, 0, "10"),
        ({}, 30 * DAY, "5"),
    ],
)
async def test_apns_is_told_how_long_how_urgent_and_what_it_replaces(
    message: dict[str, Any], wait: int, priority: str
) -> None:
    said = await sent(APNS, apns_at, **message)
    assert (ID, ID, str((NOW + wait) // SECOND), priority) == tuple(
        said.headers[name] for name in ("apns-id", "apns-collapse-id", "apns-expiration", "apns-priority")
    )
    assert {
        "aps": {"alert": {"title": "Hello こんにちは", "body": "Your cart"}, "sound": "default"},
        "message_id": ID,
        "url": "https://shop.example/cart",
    } == said.json()


@pytest.mark.parametrize(("case", "made"), [(FCM, fcm_now), (APNS, apns_at)])
async def test_a_payload_over_4096_bytes_is_refused_before_anybody_is_asked(case: Case, made: Any) -> None:
    await sent(case, made, parts={"title": "", "body": "a" * 3_900})
    with pytest.raises(RefusedError, match="larger than 4096 bytes"):
        await sent(case, made, parts={"title": "", "body": "あ" * 1_400})


def test_each_takes_its_own_tokens() -> None:
    google, apple = FCM.make("http://127.0.0.1:1"), APNS.make("http://127.0.0.1:1")
    assert (True, False) == (google.takes(fcm.DEVICE), google.takes(apns.DEVICE))
    assert (False, True) == (apple.takes(fcm.DEVICE), apple.takes(apns.DEVICE))
    # Tokens of Apple's may become longer.
    assert (False, True) == (google.takes("a1" * 80), apple.takes("a1" * 80))
    for address in ("", "aki", "../" * 30, "a/b" * 30, "あ" * 64):
        assert not google.takes(address)
        assert not apple.takes(address)


async def test_apples_token_is_made_every_fifty_minutes_and_anew_when_it_is_called_old() -> None:
    clock = Clock()
    async with ProviderServer(APNS.face) as server:
        provider = apns_at(server.url, clock)
        for passed in (0, 50 * MINUTE - 1, 50 * MINUTE, 50 * MINUTE + SECOND):
            clock.now = NOW + passed
            await provider.send(APNS.message(server.url))
        server.script(apns.error(403, "ExpiredProviderToken"))
        with pytest.raises(MisconfiguredError):
            await provider.send(APNS.message(server.url))
        clock.now += 1_000
        await provider.send(APNS.message(server.url))
        await provider.close()
        made = [apns.issued_at(asked.headers) - NOW // SECOND for asked in server.accepted]
    assert [0, 0, 3000, 3000, 3002] == made


async def test_a_token_of_another_environment_ends_no_address_until_one_of_this_was_taken() -> None:
    """With `base_url` at the sandbox, Apple calls every address of production a bad one."""
    bad = apns.error(400, "BadDeviceToken")
    async with ProviderServer(APNS.face) as server:
        provider = apns_at(server.url, Clock())
        server.script(bad)
        with pytest.raises(RefusedError, match=r"^HTTP 400 BadDeviceToken$") as mixed_up:
            await provider.send(APNS.message(server.url))
        await provider.send(APNS.message(server.url))
        server.script(bad)
        with pytest.raises(DeadAddressError) as caught:
            await provider.send(APNS.message(server.url))
        await provider.close()
    assert not isinstance(mixed_up.value, DeadAddressError)
    assert "invalid" == caught.value.why


async def test_googles_token_is_asked_for_once_and_again_when_it_is_refused() -> None:
    grants: list[Asked] = []

    def granted(asked: Asked) -> Reply | None:
        said = fcm.grant(asked)
        grants.extend([] if said is None else [asked])
        return said

    async with ProviderServer(Face(accept=fcm.take, aside=granted)) as server:
        provider = fcm_now(server.url, Clock())
        for _ in range(3):
            await provider.send(FCM.message(server.url))
        assert 1 == len(grants)
        server.script(fcm.error(401, "UNAUTHENTICATED"))
        with pytest.raises(MisconfiguredError):
            await provider.send(FCM.message(server.url))
        await provider.send(FCM.message(server.url))
        await provider.close()
    assert 2 == len(grants)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(400, b'{"error": "invalid_grant"}'), MisconfiguredError),
        (Reply(401, b'{"error": "invalid_client"}'), MisconfiguredError),
        (Reply(500), UnavailableError),
        (Reply(429), UnavailableError),
        (Reply(200, b'{"token": 1}'), UnavailableError),
    ],
)
async def test_without_googles_token_no_message_leaves(reply: Reply, error: type[Exception]) -> None:
    face = Face(accept=fcm.take, aside=lambda asked: reply if asked.path == "/token" else None)
    async with ProviderServer(face) as server:
        provider = fcm_now(server.url, Clock())
        with pytest.raises(error, match=f"HTTP {reply.status}") as caught:
            await provider.send(FCM.message(server.url))
        await provider.close()
    assert error is type(caught.value)
    assert [] == server.asked


async def test_a_quota_that_says_no_time_is_left_alone_for_a_minute() -> None:
    async with ProviderServer(FCM.face) as server:
        provider = fcm_now(server.url, Clock())
        server.script(fcm.error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"))
        with pytest.raises(TemporaryError) as caught:
            await provider.send(FCM.message(server.url))
        await provider.close()
    assert MINUTE == caught.value.retry_after


@pytest.mark.parametrize("key", ["", "{}", "not json", json.dumps(fcm.account("") | {"private_key": "x"})])
def test_a_key_file_that_google_never_made_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="`key` is not the JSON file") as caught:
        FCM.make("http://127.0.0.1:1", key=key)
    assert "not json" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "not a key", fcm.account("")["private_key"]])
def test_a_key_that_apple_never_made_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"`key` is not the \.p8 file") as caught:
        APNS.make("http://127.0.0.1:1", key=key)
    assert "BEGIN" not in str(caught.value)


def test_certificates_that_cannot_be_read_are_told() -> None:
    with pytest.raises(ConfigurationError, match="`ca_file` cannot be read: no such file or directory; name"):
        APNS.make("http://127.0.0.1:1", ca_file="/nowhere/ca.pem")
