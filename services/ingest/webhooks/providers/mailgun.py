"""Mailgun's webhooks (documentation.mailgun.com, "Webhooks"): one event, with an HMAC beside it in the body."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import REFERENCE, Told

_NAMES = {
    "delivered": "Message Delivered",
    "opened": "Message Opened",
    "clicked": "Message Clicked",
    "failed": "Message Bounced",
    "rejected": "Message Failed",
    "complained": "Message Complained",
    "unsubscribed": "Unsubscribed",
}


class Signed(msgspec.Struct, frozen=True):
    """The webhook signing key of the account."""

    secret: bytes

    def admits(self, raw: bytes, _headers: Mapping[str, str], _query: Mapping[str, str]) -> bool:
        """Tell whether Mailgun signed the request: its time and a token, which stand beside the event."""
        try:
            said = msgspec.json.decode(raw)["signature"]
            signed = f"{said['timestamp']}{said['token']}".encode()
            given = str(said["signature"]).encode()
        except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError, KeyError):
            return False
        return hmac.compare_digest(hmac.new(self.secret, signed, hashlib.sha256).hexdigest().encode(), given)


def read(posted: Posted) -> Iterator[Told]:
    """Yield what the request tells; of another kind of event nothing."""
    event = posted.body.get("event-data") if isinstance(posted.body, dict) else None
    name = _NAMES.get(str(event.get("event"))) if isinstance(event, dict) else None
    if isinstance(event, dict) and name is not None:
        yield _told(name, event)


def _told(name: str, event: dict[str, Any]) -> Told:
    variables, client = event.get("user-variables"), event.get("client-info")
    properties: dict[str, Any] = {"reason": event.get("reason"), "url": event.get("url")}
    if name == "Message Bounced":
        properties["bounce"] = "hard" if event.get("severity") == "permanent" else "soft"
    # Mailgun calls Gmail's picture proxy a bot, too; that one loads when the reader opens the mail.
    if name == "Message Opened" and isinstance(client, dict) and client.get("bot") == "apple":
        name, properties = "Message Scanned", {"what": "opened", "by": "apple_mail_privacy"}
    reference = variables.get(REFERENCE) if isinstance(variables, dict) else None
    at = event.get("timestamp")
    return Told(name, reference, str(event.get("id")), at if isinstance(at, int | float) else None, properties)
