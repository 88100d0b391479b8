"""Apple's push service (developer.apple.com: "Handling notification responses from APNs" and its neighbours).

Here by HTTP/1.1; tests/integration/test_apns.py speaks HTTP/2 with it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

DEVICE = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"


@functools.cache
def signing_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def pem() -> str:
    """The text of a .p8 file."""
    return signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def issued_at(headers: Mapping[str, str]) -> int:
    """Check who asks, as Apple does, and return when the token was made (seconds)."""
    token = headers["authorization"].removeprefix("bearer ")
    assert {"alg": "ES256", "kid": "KEY1234567"} == {
        name: value for name, value in jwt.get_unverified_header(token).items() if name != "typ"
    }
    claims = jwt.decode(
        token, signing_key().public_key(), algorithms=["ES256"], issuer="TEAM123456", options={"verify_iat": False}
    )
    return int(claims["iat"])


def take(asked: Asked, _number: int) -> Reply:
    issued_at(asked.headers)
    assert ("com.example.shop", "alert") == (asked.headers["apns-topic"], asked.headers["apns-push-type"])
    return Reply(200, b"", {"apns-id": asked.headers["apns-id"]})


def error(status: int, reason: str) -> Reply:
    return Reply(status, json.dumps({"reason": reason}).encode())


APNS = Case(
    kind="apns",
    channel="push",
    face=Face(accept=take),
    settings=lambda url: {
        "base_url": url,
        "key": pem(),
        "key_id": "KEY1234567",
        "team_id": "TEAM123456",
        "topic": "com.example.shop",
    },
    address=lambda _: DEVICE,
    parts={"title": "Hello こんにちは", "body": "Your cart", "url": "https://shop.example/cart"},
    says=lambda asked: (asked.path.removeprefix("/3/device/"), asked.json()["aps"]["alert"]["title"]),
    refused=(
        error(400, "PayloadEmpty"),
        error(413, "PayloadTooLarge"),
        error(400, "BadExpirationDate"),
        error(400, "DeviceTokenNotForTopic"),
        error(400, "BadDeviceToken"),
    ),
    dead=(
        (Reply(410, b'{"reason": "Unregistered", "timestamp": 1454402113000}'), "unregistered"),
        (error(410, "ExpiredToken"), "unregistered"),
    ),
    misconfigured=(
        error(403, "InvalidProviderToken"),
        error(403, "ExpiredProviderToken"),
        error(403, "Forbidden"),
        error(400, "TopicDisallowed"),
        error(400, "BadTopic"),
    ),
    later=(
        error(429, "TooManyRequests"),
        error(429, "TooManyProviderTokenUpdates"),
        error(500, "InternalServerError"),
        error(503, "ServiceUnavailable"),
        error(503, "Shutdown"),
    ),
)
