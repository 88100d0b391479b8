"""A push service, and a browser that subscribed with it (RFC 8030, 8291, 8292)."""

from __future__ import annotations

import base64
import functools
import json
import re

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.dispatcher.channels.aes128gcm import public_bytes
from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

AUTH = b"sixteen bytes ok"


@functools.cache
def browser_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


@functools.cache
def vapid_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def pem() -> str:
    return vapid_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_key() -> bytes:
    """The public half of ``vapid_key``, by which pages subscribe."""
    return public_bytes(vapid_key())


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def subscription(endpoint: str) -> str:
    """What the browser makes of a subscription: ``JSON.stringify(subscription)``."""
    point = browser_key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": b64url(point), "auth": b64url(AUTH)}
    return json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})


def read(asked: Asked) -> dict[str, str]:
    """Decrypt as the browser does, by another implementation than ours."""
    plain = http_ece.decrypt(asked.body, private_key=browser_key(), auth_secret=AUTH, version="aes128gcm")
    return dict(json.loads(plain))


def vapid_claims(asked: Asked) -> dict[str, str]:
    """Check who asks, as a push service does."""
    said = re.fullmatch(r"vapid t=(\S+), k=(\S+)", asked.headers["authorization"])
    assert said is not None
    point = base64.urlsafe_b64decode(said[2] + "=" * (-len(said[2]) % 4))
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    return dict(jwt.decode(said[1], key, algorithms=["ES256"], audience=f"http://{asked.headers['host']}"))


def take(asked: Asked, number: int) -> Reply:
    vapid_claims(asked)
    assert asked.headers["ttl"].isdecimal()
    assert "aes128gcm" == asked.headers["content-encoding"]
    return Reply(201, b"", {"Location": f"/message/{number}"})


WEB_PUSH = Case(
    kind="web_push",
    channel="web_push",
    face=Face(accept=take),
    settings=lambda _: {"private_key": pem(), "contact": "mailto:push@shop.example", "allow": ("127.0.0.1",)},
    address=lambda url: subscription(f"{url}/push/e1"),
    parts={"title": "Hello こんにちは", "body": "Your cart", "url": "https://shop.example/cart"},
    says=lambda asked: ("", read(asked)["title"]),
    refused=(
        Reply(400),
        Reply(401),
        Reply(403),
        Reply(413),
        Reply(307, headers={"Location": "https://example.com"}),
    ),
    dead=((Reply(404), "unregistered"), (Reply(410), "unregistered")),
    later=(Reply(429, headers={"Retry-After": "30"}), Reply(503)),
    unsure=(Reply(500), Reply(502), Reply(504)),
    one_host=False,
)
