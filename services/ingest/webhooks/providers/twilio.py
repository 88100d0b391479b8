"""Twilio's status callbacks (twilio.com/docs, "Track the message status", "Webhooks security").

A form, signed together with the address to which it is posted.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import Told

_NAMES = {
    "delivered": "Message Delivered",
    "read": "Message Opened",
    "undelivered": "Message Bounced",
    "failed": "Message Bounced",
}
_DEAD = {"21610": "opted_out", "21211": "invalid", "21614": "invalid", "30005": "unregistered", "30006": "invalid"}
"""Error codes that say that the number takes no message of ours at all (twilio.com/docs/api/errors)."""


class Signed(msgspec.Struct, frozen=True):
    """The account's auth token, and the address as Twilio knows it: both are in what it signs."""

    secret: bytes
    url: str

    def admits(self, raw: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Tell whether Twilio signed the request: the address with its query, and the form's fields in their order."""
        try:
            fields = sorted(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=1_000))
        except ValueError:
            return False
        asked = f"{self.url}?{urlencode(dict(query))}" if query else self.url
        signed = asked + "".join(name + value for name, value in fields)
        digest = b64encode(hmac.new(self.secret, signed.encode(), "sha1").digest())
        return hmac.compare_digest(headers.get("x-twilio-signature", "").encode("latin-1", "replace"), digest)


def read(posted: Posted) -> Iterator[Told]:
    """Yield what the status tells; nothing of one on its way. Twilio does not say when it happened."""
    fields: dict[str, Any] = posted.body if isinstance(posted.body, dict) else {}
    status, code = str(fields.get("MessageStatus")), str(fields.get("ErrorCode", ""))
    name = _NAMES.get(status)
    if name is not None:
        properties = {}
        if name == "Message Bounced":
            dead = _DEAD.get(code)
            properties = {"bounce": "hard" if dead else "soft", "dead": dead, "reason": code}
        yield Told(name, posted.query.get("reference"), f"{fields.get('MessageSid')}/{status}", None, properties)
