"""SendGrid's event webhook (docs.sendgrid.com, "Event Webhook Reference"): a list of events, signed by ECDSA."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import REFERENCE, Told
from shared.errors import WordError

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_NAMES = {
    "delivered": "Message Delivered",
    "open": "Message Opened",
    "click": "Message Clicked",
    "bounce": "Message Bounced",
    "dropped": "Message Failed",
    "spamreport": "Message Complained",
    "unsubscribe": "Unsubscribed",
    "group_unsubscribe": "Unsubscribed",
}
_DEAD = frozenset({"bounced address", "invalid"})
"""Reasons of what SendGrid drops because it knows that the address takes nothing."""

_NO_KEY = "this is no verification key of SendGrid; copy the one that its Event Webhook shows (Signature Verification)"


class Signed(msgspec.Struct, frozen=True):
    """The verification key that SendGrid shows: a P-256 public key in base64."""

    key: bytes

    def public_key(self) -> EllipticCurvePublicKey:
        """Return the key. Raises WordError for what is none."""
        try:
            found = load_der_public_key(b64decode(self.key, validate=True))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise WordError("secret", _NO_KEY) from error
        if not isinstance(found, EllipticCurvePublicKey):
            raise WordError("secret", _NO_KEY)
        return found

    def admits(self, raw: bytes, headers: Mapping[str, str], _query: Mapping[str, str]) -> bool:
        """Tell whether SendGrid signed the request."""
        try:
            signature = b64decode(headers.get(_SIGNATURE, ""), validate=True)
            signed = headers.get(_TIMESTAMP, "").encode("latin-1") + raw
            self.public_key().verify(signature, signed, ECDSA(SHA256()))
        except (ValueError, InvalidSignature):
            return False
        return True


def read(posted: Posted) -> Iterator[Told]:
    """Yield what the events of a request tell; of other kinds of event nothing."""
    for event in posted.body if isinstance(posted.body, list) else [posted.body]:
        if isinstance(event, dict) and (name := _NAMES.get(str(event.get("event")))) is not None:
            yield _told(name, event)


def _told(name: str, event: dict[str, Any]) -> Told:
    properties: dict[str, Any] = {"reason": event.get("reason"), "url": event.get("url")}
    if name == "Message Failed" and str(event.get("reason")).lower() in _DEAD:
        name = "Message Bounced"
        properties["bounce"] = "hard"
    elif name == "Message Bounced":
        # A mail that is blocked may be taken another time.
        properties["bounce"] = "soft" if event.get("type") == "blocked" else "hard"
    elif name == "Message Opened" and event.get("sg_machine_open") is True:
        name, properties = "Message Scanned", {"what": "opened", "by": "apple_mail_privacy"}
    at = event.get("timestamp")
    return Told(
        name, event.get(REFERENCE), str(event.get("sg_event_id")), at if isinstance(at, int) else None, properties
    )
