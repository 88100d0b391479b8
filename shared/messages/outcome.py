"""What became of a send-command: the dispatcher's report, which comes back to the contact through ``events``."""

from __future__ import annotations

from typing import Literal

import msgspec

OutcomeStatus = Literal["sent", "skipped", "failed", "ambiguous"]

EVENT_NAMES: dict[OutcomeStatus, str] = {
    "sent": "Message Sent",
    "skipped": "Message Skipped",
    "failed": "Message Failed",
    "ambiguous": "Message Ambiguous",
}
"""The event name under which a journey can ask for an outcome."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="outcome"):
    """The end of one command. Its ``message_id`` is derived from the command, so that a repeated report is a no-op.

    ``at`` is journey time. ``reason`` is a reason code (docs/reference/reasons.md) where there is one;
    ``provider_id`` is what the provider calls the message.
    """

    message_id: str
    contact: str
    command_id: str
    run_id: str
    journey: str
    version: int
    step: str
    channel: str
    status: OutcomeStatus
    at: int
    reason: str | None = None
    detail: str | None = None
    provider_id: str | None = None

    @property
    def name(self) -> str:
        """The event name under which journeys see this outcome."""
        return EVENT_NAMES[self.status]
