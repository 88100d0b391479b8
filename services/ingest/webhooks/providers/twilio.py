"""Twilio's webhooks (twilio.com/docs, "Track the message status", "Twilio's request to your incoming message Webhook").

A form, signed together with the address to which it is posted. Of what people write back only that they want no more
messages, or want them again, is read; a message that is no answer to one of ours says no more of its writer than their
number, so the operator says which contact has it.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import Told, owner_of
from shared.expressions import Expression

_NAMES = {
    "delivered": "Message Delivered",
    "read": "Message Opened",
    "undelivered": "Message Bounced",
    "failed": "Message Bounced",
}
_DEAD = {"21610": "opted_out", "21211": "invalid", "21614": "invalid", "30005": "unregistered", "30006": "invalid"}
"""Error codes that say that the number takes no message of ours at all (twilio.com/docs/api/errors)."""


STOP = frozenset(
    ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "停止", "配信停止", "解除")
)
START = frozenset(("start", "unstop", "yes", "再開", "配信再開"))
"""Words that stop all messages to a number and let them come again: Twilio's own, which are the whole message, and
Japanese ones. What Twilio's Advanced Opt-Out found (``OptOutType``) counts before them."""
ANSWER = b"<Response/>"
"""TwiML that writes nothing back: of anything else Twilio logs an error."""


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


def written(whose: Mapping[str, Expression], posted: Posted) -> list[dict[str, Any]] | None:
    """Return the call that somebody's own message comes to, if any; None: ``posted`` is no such message.

    ``whose`` gives ``userId`` or ``anonymousId`` of its fields; nothing: nobody knows whose numbers they are.
    """
    fields: dict[str, Any] = posted.body if isinstance(posted.body, dict) else {}
    sender = fields.get("From")
    if "MessageStatus" in fields or "Body" not in fields or not isinstance(sender, str):
        return None
    wish = _wish(fields)
    if wish is None or not whose:
        return []
    channel = "whatsapp" if sender.startswith("whatsapp:") else "sms"
    return [
        {
            "type": "track",
            "event": "Address Suppressed" if wish == "STOP" else "Suppression Lifted",
            **owner_of(whose, fields),
            "messageId": fields.get("MessageSid"),
            "properties": {"channel": channel, "reason": "opted_out"},
        }
    ]


def _wish(fields: Mapping[str, Any]) -> str | None:
    """Return ``STOP`` or ``START`` if that is what the message wants."""
    found = fields.get("OptOutType")
    if found is not None:
        return found if found in ("STOP", "START") else None
    word = str(fields.get("Body")).strip().strip(".!。！").casefold()
    return "STOP" if word in STOP else "START" if word in START else None
