"""What is told of a message after it was handed over: which message it was, completed from what the row knows.

Whoever tells may know no more than the beginning of its ``command_id``: what returns with a bounce has to be short.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.evaluator.core.draft import Draft

FEEDBACK = frozenset(
    {
        "Message Delivered",
        "Message Opened",
        "Message Clicked",
        "Message Scanned",
        "Message Shared",
        "Message Forwarded",
        "Message Bounced",
        "Message Complained",
    }
)
BY_LINK = FEEDBACK | {"Consent Granted", "Consent Revoked", "Unsubscribed"}
"""What else somebody says by a link of a message, which names the message, too."""
ID_AT_LEAST = 18
"""Characters of a ``command_id`` (60 bits) that name one message among those of a contact."""


def complete_feedback(draft: Draft) -> None:
    """Add to the event being applied (``FEEDBACK``) what is known of the message that it names.

    Without a word of its own replaced.
    """
    said = draft.event["properties"]
    known = next(_known(draft, said.get("command_id")), None)
    if known is not None:
        draft.event = {**draft.event, "properties": {**known, **said, "command_id": known["command_id"]}}


def is_of_other_row(draft: Draft, name: str, said: dict[str, Any]) -> bool:
    """Tell whether the event ``name`` names a message by its ``command_id`` that this row knows nothing of."""
    command = said.get("command_id")
    return name in BY_LINK and isinstance(command, str) and next(_known(draft, command), None) is None


def _known(draft: Draft, command: object) -> Iterator[dict[str, Any]]:
    """Yield what is known of the message, the best first: of a command, a send of late, one of the last messages."""
    if not isinstance(command, str) or len(command) < ID_AT_LEAST:
        return
    for pending in draft.pending:
        if pending.command_id.startswith(command):
            yield _told(pending.command_id, pending.journey, pending.step, run_id=pending.run_id)
    for touch in draft.touches:
        if touch.command_id.startswith(command):
            yield _told(touch.command_id, touch.journey, touch.step, run_id=touch.run_id)
    for message in draft.messages:
        if message.command_id.startswith(command):
            more = {"channel": message.channel} if message.channel else {}
            yield _told(message.command_id, message.journey, message.step, **more)


def _told(command: str, journey: str, step: str, **more: str) -> dict[str, Any]:
    return {"command_id": command, "journey": journey, "step": step, **more}
