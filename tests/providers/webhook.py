"""Receivers by Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec)."""

from __future__ import annotations

from standardwebhooks import Webhook

from tests.providers.base import Case
from tests.servers.provider import Asked, Face, Reply

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OLD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def take(asked: Asked, _number: int) -> Reply:
    """A receiver that checks what it gets, as the specification tells it to."""
    Webhook(SECRET).verify(asked.body, dict(asked.headers))
    return Reply(204)


WEBHOOK = Case(
    kind="webhook",
    channel="webhook",
    face=Face(accept=take, key=lambda asked: asked.headers["webhook-id"], repeated=lambda _: Reply(204)),
    settings=lambda _: {"secrets": (SECRET, OLD_SECRET), "allow": ("127.0.0.1",)},
    address=lambda url: f"{url}/hooks/c1",
    parts={"text": '{"hello": "Hello こんにちは"}'},
    says=lambda asked: (asked.path, asked.body.decode()),
    refused=(Reply(400), Reply(401), Reply(403), Reply(404), Reply(302, headers={"Location": "https://example.com"})),
    dead=((Reply(410), "unregistered"),),
    later=(Reply(429, headers={"Retry-After": "30"}), Reply(408), Reply(500), Reply(502), Reply(503), Reply(504)),
    one_host=False,
)
