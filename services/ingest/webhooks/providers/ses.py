"""Amazon SES through SNS (docs.aws.amazon.com, "Event data that Amazon SES publishes", "Verifying the signatures").

A message is signed by a certificate of Amazon's, which stands at an address in it.
Anybody may have a topic of SNS, and Amazon signs for all of them: the topic has to be the operator's.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from services.ingest.errors import OverloadedError
from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import REFERENCE, Told

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns what stands at an address. Raises OSError or httpx2.HTTPError."""

_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{8,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_NAMES = {
    "Delivery": ("Message Delivered", "delivery"),
    "Bounce": ("Message Bounced", "bounce"),
    "Complaint": ("Message Complained", "complaint"),
    "Open": ("Message Opened", "open"),
    "Click": ("Message Clicked", "click"),
    "Reject": ("Message Failed", "reject"),
    "Rendering Failure": ("Message Failed", "failure"),
}
_LONGEST = 64 * 1024
_CERTIFICATES_AT_MOST = 16


async def fetch(url: str) -> bytes:
    """Return what stands at ``url``, without following it anywhere else. Raises httpx2.HTTPError."""
    async with httpx2.AsyncClient(timeout=5.0, follow_redirects=False, trust_env=False) as client:
        answer = await client.get(url)
        answer.raise_for_status()
        return answer.content[:_LONGEST]


class Sns:
    """Whether a request is the topic's, and its subscription, which is confirmed when it asks."""

    def __init__(self, topic: str, fetch: Fetch = fetch) -> None:
        self._topic = topic
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}

    async def prepare(self, raw: bytes) -> None:
        """Get the certificate that a request names, and confirm a subscription. Raises OverloadedError.

        Amazon's hosts alone are asked. Twice is harmless: a subscription that is confirmed stays so.
        """
        said = _object(raw)
        url = said.get("SigningCertURL")
        if said.get("TopicArn") != self._topic or not isinstance(url, str) or not is_certificate(url):
            return
        try:
            if url not in self._keys:
                self._learn(url, await self._fetch(url))
            where = said.get("SubscribeURL")
            if said.get("Type") == "SubscriptionConfirmation" and self._is_signed(said) and is_amazon(str(where)):
                await self._fetch(str(where))
        except (OSError, httpx2.HTTPError) as error:
            raise OverloadedError("Amazon cannot be asked for what its message names: send it again") from error

    def admits(self, raw: bytes, _headers: Mapping[str, str], _query: Mapping[str, str]) -> bool:
        """Tell whether the request is of the topic and Amazon signed it."""
        said = _object(raw)
        return said.get("TopicArn") == self._topic and self._is_signed(said)

    def _learn(self, url: str, certificate: bytes) -> None:
        try:
            key = load_pem_x509_certificate(certificate).public_key()
        except ValueError:
            return
        if isinstance(key, RSAPublicKey):
            self._keys[url] = key
            if len(self._keys) > _CERTIFICATES_AT_MOST:
                # Whoever knows the topic can name any certificate of Amazon's: none of them keeps out a newer one.
                del self._keys[next(iter(self._keys))]

    def _is_signed(self, said: Mapping[str, Any]) -> bool:
        key = self._keys.get(str(said.get("SigningCertURL")))
        names = _SIGNED.get(str(said.get("Type")), ())
        if key is None or not names:
            return False
        text = "".join(f"{name}\n{said[name]}\n" for name in names if said.get(name) is not None)
        algorithm = SHA256() if said.get("SignatureVersion") == "2" else SHA1()  # noqa: S303 - version 1 is Amazon's
        try:
            key.verify(b64decode(str(said.get("Signature")), validate=True), text.encode(), PKCS1v15(), algorithm)
        except (ValueError, InvalidSignature):
            return False
        return True


def is_amazon(url: str) -> bool:
    """Tell whether ``url`` is one of SNS itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # Beside that, urlsplit leaves out what is not printable, and whoever asks does not.
    return url.isprintable() and parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None


def is_certificate(url: str) -> bool:
    """Tell whether ``url`` is that of a certificate by which SNS signs."""
    return is_amazon(url) and _CERTIFICATE.fullmatch(urlsplit(url).path) is not None and "?" not in url


def read(posted: Posted) -> Iterator[Told]:
    """Yield what a notification tells; of a subscription nothing."""
    if isinstance(posted.body, dict) and posted.body.get("Type") == "Notification":
        event = _object(str(posted.body.get("Message")).encode())
        name, field = _NAMES.get(str(event.get("eventType") or event.get("notificationType")), ("", ""))
        if name:
            yield _told(name, _dict(event.get(field)), _dict(event.get("mail")), str(posted.body.get("MessageId")))


def _told(name: str, about: dict[str, Any], mail: dict[str, Any], notification: str) -> Told:
    properties: dict[str, Any] = {"url": about.get("link"), "reason": about.get("reason")}
    if name == "Message Bounced":
        hard = about.get("bounceType") == "Permanent"
        properties = {"bounce": "hard" if hard else "soft", "reason": about.get("bounceSubType")}
    tag = _dict(mail.get("tags")).get(REFERENCE)
    at = about.get("timestamp") or mail.get("timestamp")
    reference = tag[0] if isinstance(tag, list) and tag else None
    return Told(name, reference, notification, at if isinstance(at, str) else None, properties)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return _dict(msgspec.json.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
