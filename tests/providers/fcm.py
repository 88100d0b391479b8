"""Firebase Cloud Messaging (firebase.google.com: "FCM Error Codes"), and Google's token server beside it."""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

DEVICE = "dXJ1bGVz_c0:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx1kLqv9rZ0kQ7T9X3mB5v8n2"
TOKEN = "ya29.token"


@functools.cache
def signing_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def account(url: str) -> dict[str, str]:
    """The file that Google gives out for a service account."""
    pem = signing_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": "shop-1",
        "private_key_id": "k1",
        "private_key": pem,
        "client_email": "kikkake@shop-1.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }


def grant(asked: Asked) -> Reply | None:
    """The token server: checks who asks, as RFC 7523 tells it to."""
    if asked.path != "/token":
        return None
    form = parse_qs(asked.body.decode())
    assert ["urn:ietf:params:oauth:grant-type:jwt-bearer"] == form["grant_type"]
    claims = jwt.decode(
        form["assertion"][0],
        signing_key().public_key(),
        algorithms=["RS256"],
        audience=f"http://{asked.headers['host']}/token",
        issuer="kikkake@shop-1.iam.gserviceaccount.com",
    )
    assert "https://www.googleapis.com/auth/firebase.messaging" == claims["scope"]
    return Reply(200, json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}).encode())


def take(asked: Asked, number: int) -> Reply:
    assert (f"Bearer {TOKEN}", "/v1/projects/shop-1/messages:send") == (asked.headers["authorization"], asked.path)
    return Reply(200, json.dumps({"name": f"projects/shop-1/messages/0:{number}"}).encode())


def error(status: int, name: str, code: str | None = None, said: str = "…", **headers: str) -> Reply:
    details: list[Any] = []
    if code is not None:
        details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]
    body = {"error": {"code": status, "message": said, "status": name, "details": details}}
    return Reply(status, json.dumps(body).encode(), headers)


FCM = Case(
    kind="fcm",
    channel="push",
    face=Face(accept=take, aside=grant),
    settings=lambda url: {"base_url": url, "key": json.dumps(account(url))},
    address=lambda _: DEVICE,
    parts={"title": "Hello こんにちは", "body": "Your cart", "url": "https://shop.example/cart"},
    says=lambda asked: (asked.json()["message"]["token"], asked.json()["message"]["notification"]["title"]),
    refused=(
        error(400, "INVALID_ARGUMENT", None, "Invalid value at 'message.data[0].value' (TYPE_STRING), 12"),
        error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "Android message is too big"),
        error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "SenderId mismatch"),
        Reply(404),
    ),
    dead=(
        (error(404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."), "unregistered"),
        (
            error(
                400,
                "INVALID_ARGUMENT",
                "INVALID_ARGUMENT",
                "The registration token is not a valid FCM registration token",
            ),
            "invalid",
        ),
    ),
    misconfigured=(
        error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        error(401, "UNAUTHENTICATED"),
        error(403, "PERMISSION_DENIED"),
    ),
    later=(
        error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", **{"Retry-After": "60"}),
        error(503, "UNAVAILABLE", "UNAVAILABLE", **{"Retry-After": "12"}),
    ),
    unsure=(error(500, "INTERNAL", "INTERNAL"), Reply(502), Reply(504)),
)
