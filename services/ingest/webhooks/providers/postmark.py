"""Postmark's webhooks (postmarkapp.com/developer, "Webhooks"): one record, which is not signed."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import REFERENCE, Told

_NAMES = {
    "Delivery": ("Message Delivered", "DeliveredAt"),
    "Open": ("Message Opened", "ReceivedAt"),
    "Click": ("Message Clicked", "ReceivedAt"),
    "Bounce": ("Message Bounced", "BouncedAt"),
    "SpamComplaint": ("Message Complained", "BouncedAt"),
}
_HARD = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_CHANGE = "SubscriptionChange"
_SUPPRESSED = {"HardBounce": "bounced", "SpamComplaint": "complained"}


class Basic(msgspec.Struct, frozen=True):
    """``user:password`` of the webhook's address, which Postmark sends as Basic authentication."""

    secret: bytes

    def admits(self, _raw: bytes, headers: Mapping[str, str], _query: Mapping[str, str]) -> bool:
        """Tell whether the request carries them."""
        scheme, _, given = headers.get("authorization", "").strip().partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), b64encode(self.secret))
        return scheme.lower() == "basic" and same


def read(posted: Posted) -> Iterator[Told]:
    """Yield what the record tells; of another kind of record nothing."""
    record = posted.body if isinstance(posted.body, dict) else {}
    kind = str(record.get("RecordType"))
    name, time = _change(record) if kind == _CHANGE else _NAMES.get(kind, ("", ""))
    if name:
        metadata, at = record.get("Metadata"), record.get(time)
        properties: dict[str, Any] = {"url": record.get("OriginalLink")}
        if name == "Message Bounced":
            properties = {"bounce": "hard" if record.get("Type") in _HARD else "soft", "reason": record.get("Type")}
        elif name == "Address Suppressed":
            properties = {"reason": _SUPPRESSED[record["SuppressionReason"]]}
        yield Told(
            name,
            metadata.get(REFERENCE) if isinstance(metadata, dict) else None,
            f"{record.get('MessageID')}/{record.get('ID', '')}/{at}",
            at if isinstance(at, str) else None,
            properties,
        )


def _change(record: dict[str, Any]) -> tuple[str, str]:
    """Return what a change of Postmark's list of suppressed addresses is, and the field of its time.

    What somebody of ours puts on the list or takes off it is about no message, and so about nobody that we know.
    """
    why = record.get("SuppressionReason")
    if record.get("SuppressSending") is not True:
        return "", ""
    if why == "ManualSuppression" and record.get("Origin") == "Recipient":
        return "Unsubscribed", "ChangedAt"
    return ("Address Suppressed", "ChangedAt") if why in _SUPPRESSED else ("", "")
