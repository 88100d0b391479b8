"""What became of a message: the dispatcher's report, which comes back to the contact through ``events``."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.ids import outcome_id
from shared.messages.command import SendCommand

OutcomeStatus = Literal["sent", "skipped", "failed", "ambiguous"]
DeadAddress = Literal["unregistered", "invalid", "opted_out"]
"""Why an address is of no use any more: its device or subscription is gone, it never was one, its owner said no."""

EVENT_NAMES: dict[OutcomeStatus, str] = {
    "sent": "Message Sent",
    "skipped": "Message Skipped",
    "failed": "Message Failed",
    "ambiguous": "Message Ambiguous",
}
"""The event name under which a journey can ask for an outcome."""
STAFF_EVENT_NAMES: dict[OutcomeStatus, str] = {
    "sent": "Notification Sent",
    "skipped": "Notification Skipped",
    "failed": "Notification Failed",
    "ambiguous": "Notification Ambiguous",
}
"""The same for a message to people of ours, so that whoever is told of failures is not told of that one's failure."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel that did not take the message, before another was tried. Its fields are those of ``Outcome``."""

    channel: str
    reason: str
    detail: str | None = None
    provider: str | None = None
    dead: DeadAddress | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="outcome"):
    """The end of one command. Its ``message_id`` is derived from the command, so that a repeated report is a no-op.

    ``at`` is journey time. ``reason`` is a reason code (docs/reference/reasons.md) where there is one;
    ``provider_id`` is what the provider calls the message. ``provider`` is the provider's id in ``providers.yaml``,
    None: none was asked. ``dead``: the contact's address for ``channel`` is of no use any more. ``tried`` are the
    channels before ``channel``, in their order.
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
    to_staff: bool = False
    provider: str | None = None
    dead: DeadAddress | None = None
    tried: tuple[Attempt, ...] = ()

    @property
    def name(self) -> str:
        """The event name under which journeys see this outcome."""
        return (STAFF_EVENT_NAMES if self.to_staff else EVENT_NAMES)[self.status]


def outcome_of(
    command: SendCommand,
    status: OutcomeStatus,
    at: int,
    *,
    reason: str | None = None,
    detail: str | None = None,
    provider_id: str | None = None,
) -> Outcome:
    """Return the outcome of ``command``, whoever ends it.

    Its id is derived from the command alone: two that end it differently still report one end, the first.
    """
    return Outcome(
        message_id=outcome_id(command.command_id),
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        channel=command.channels[0] if command.channels else "",
        status=status,
        at=at,
        reason=reason,
        detail=detail,
        provider_id=provider_id,
        to_staff=command.to_staff,
    )
