"""LINE's webhook (developers.line.biz, "Messaging API reference"): who followed the account, and who left it.

LINE says nothing of single messages. Whom it speaks of is known by LINE's id alone, so the operator says which contact
has that id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.webhooks.base import Posted
from services.ingest.webhooks.feedback import owner_of
from shared.expressions import Expression
from shared.ids import address_tag


def read(whose: Mapping[str, Expression], posted: Posted) -> list[dict[str, Any]]:
    """Return the calls of those who followed or left; ``whose`` gives ``userId`` or ``anonymousId`` of an event."""
    events = posted.body.get("events") if isinstance(posted.body, dict) else None
    calls = [_call(whose, event) for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    return [call for call in calls if call is not None]


def _call(whose: Mapping[str, Expression], event: dict[str, Any]) -> dict[str, Any] | None:
    source, kind = event.get("source"), event.get("type")
    user = source.get("userId") if isinstance(source, dict) else None
    if not isinstance(user, str) or kind not in ("follow", "unfollow"):
        return None
    properties: dict[str, Any] = {"channel": "line"}
    if kind == "unfollow":
        properties |= {"reason": "unregistered", "address_tag": address_tag("line", user)}
    return {
        "type": "track",
        "event": "Suppression Lifted" if kind == "follow" else "Address Suppressed",
        **owner_of(whose, event),
        "messageId": event.get("webhookEventId"),
        "timestamp": event.get("timestamp"),
        "properties": properties,
    }
