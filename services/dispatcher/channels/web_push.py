"""Web push (RFC 8030) with VAPID (RFC 8292): the address is a subscription, the JSON text that the browser made of it.

It knows no idempotency key; the message's topic makes a second copy replace one that still waits for its device.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit
from uuid import UUID

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
    generate_private_key,
)

from services.dispatcher.channels.aes128gcm import LARGEST, encrypt, public_bytes
from services.dispatcher.channels.base import Message, Receipt
from services.dispatcher.channels.kinds import ALLOW, TIMEOUT, Kind, Settings, Word
from services.dispatcher.channels.push import data_of, is_urgent, not_larger, signing_key
from services.dispatcher.channels.receivers import Receivers, raise_for_receiver
from services.dispatcher.errors import DeadAddressError
from services.dispatcher.guard import Guard
from shared.clock import DAY, HOUR, SECOND, Clock, system_clock
from shared.errors import WordError

_LONGEST_WAIT = 28 * DAY // SECOND
# RFC 8292, 2: a day at most.
_TOKEN_LASTS = 12 * HOUR
_GONE = frozenset({404, 410})
_SCALAR_BYTES = 32


class SubscriptionKeys(msgspec.Struct, frozen=True):
    """Both in base64url: the browser's public key, and the secret that it shares with the site."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True):
    """What ``PushSubscription.toJSON()`` says."""

    endpoint: str
    keys: SubscriptionKeys


class WebPushProvider:
    """Pushes to the browsers of people who subscribed with the public half of ``key``."""

    idempotent = False

    def __init__(
        self,
        provider_id: str,
        key: EllipticCurvePrivateKey,
        *,
        contact: str,
        guard: Guard,
        timeout: float,
        connections: int,
        clock: Clock = system_clock,
    ) -> None:
        """``contact`` is where a push service's people reach ours: ``mailto:`` or ``https:``."""
        self.id = provider_id
        self._key = key
        self._public = _encoded(public_bytes(key))
        self._contact = contact
        self._clock = clock
        headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "aes128gcm"}
        self._receivers = Receivers(guard, timeout=timeout, connections=connections, headers=headers)

    def takes(self, address: str) -> bool:
        """Return True: whether it is a subscription is found out where the reason can be told."""
        return True

    async def send(self, message: Message) -> Receipt:
        """Push the notification. Raises as ``Provider.send`` does."""
        shown = {"title": message.parts.get("title", ""), "body": message.parts.get("body", "")}
        plain = msgspec.json.encode({**shown, **data_of(message)})
        not_larger(len(plain), LARGEST)
        endpoint, body = _encrypted(plain, message.address)
        answer = await self._receivers.post(endpoint, body, self._headers(message, endpoint))
        raise_for_receiver(answer, dead=_GONE, kept=True)
        return Receipt()

    async def close(self) -> None:
        """Close the connections."""
        await self._receivers.close()

    def _headers(self, message: Message, endpoint: str) -> dict[str, str]:
        there = urlsplit(endpoint)
        claims = {
            "aud": f"{there.scheme}://{there.netloc}",
            "exp": (self._clock() + _TOKEN_LASTS) // SECOND,
            "sub": self._contact,
        }
        return {
            "Authorization": f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self._public}",
            "TTL": str(message.seconds_left(_LONGEST_WAIT)),
            "Urgency": "high" if is_urgent(message) else "normal",
            "Topic": _encoded(UUID(message.command_id).bytes),
        }


def _encrypted(plain: bytes, address: str) -> tuple[str, bytes]:
    """Return where ``plain`` goes and as which bytes. Raises DeadAddressError for what is no subscription."""
    try:
        there = msgspec.json.decode(address, type=Subscription)
        receiver, secret = _decoded(there.keys.p256dh), _decoded(there.keys.auth)
        body = encrypt(plain, receiver, secret, key=generate_private_key(SECP256R1()), salt=secrets.token_bytes(16))
    except (msgspec.DecodeError, ValueError):
        raise DeadAddressError("not a push subscription", why="invalid") from None
    return there.endpoint, body


def _push_service(address: str) -> str:
    try:
        return urlsplit(msgspec.json.decode(address, type=Subscription).endpoint).netloc
    except (msgspec.DecodeError, ValueError):
        return ""


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _make(settings: Settings, connections: int) -> WebPushProvider:
    contact = settings.text("contact")
    if not contact.startswith(("mailto:", "https:")):
        raise WordError("contact", "`contact` is no URL; write `mailto:` and an address, or a URL of https")
    return WebPushProvider(
        settings.id,
        _key(settings),
        contact=contact,
        guard=Guard(settings.texts("allow")),
        timeout=settings.seconds("timeout"),
        connections=connections,
    )


def _key(settings: Settings) -> EllipticCurvePrivateKey:
    text = settings.text("private_key")
    for read in (signing_key, _of_scalar):
        try:
            return read(text)
        except ValueError:
            continue
    raise WordError(
        "private_key",
        "`private_key` is no VAPID key: 32 bytes in base64url, or a PEM of the curve prime256v1; "
        "make one with: npx web-push generate-vapid-keys",
    )


def _of_scalar(text: str) -> EllipticCurvePrivateKey:
    scalar = _decoded(text)
    if len(scalar) != _SCALAR_BYTES:
        raise ValueError("another length")
    return derive_private_key(int.from_bytes(scalar, "big"), SECP256R1())


WEB_PUSH = Kind(
    name="web_push",
    channels=("web_push",),
    words=(
        Word(name="private_key", form="secret", needed=True, about="the private VAPID key, base64url or PEM"),
        Word(name="contact", needed=True, about="`mailto:` or `https:`: where push services reach you"),
        TIMEOUT,
        ALLOW,
    ),
    make=_make,
    party=_push_service,
)
