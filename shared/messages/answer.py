"""What a connector answered: the dispatcher's report on a call, which comes back to the contact through ``events``."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.ids import outcome_id
from shared.messages.command import CallCommand

ANSWERED, FAILED = "Call Answered", "Call Failed"
"""The event names under which a journey can ask for an answer."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="answer"):
    """The end of one call. Its ``message_id`` is derived from the command, so that a repeated report is a no-op.

    ``data`` is what the connector said, JSON; ``error`` a reason code (docs/reference/reasons.md), None: it is well.
    ``at`` is journey time.
    """

    message_id: str
    contact: str
    command_id: str
    run_id: str
    journey: str
    version: int
    step: str
    connector: str
    at: int
    data: Any = None
    error: str | None = None
    detail: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the connector did what it was asked."""
        return self.error is None

    @property
    def name(self) -> str:
        """The event name under which journeys see this answer."""
        return ANSWERED if self.ok else FAILED


def answer_of(
    command: CallCommand, at: int, *, data: Any = None, error: str | None = None, detail: str | None = None
) -> Answer:
    """Return the answer to ``command``, whoever gives it. Two that end it differently report one end, the first."""
    return Answer(
        message_id=outcome_id(command.command_id),
        contact=command.contact,
        command_id=command.command_id,
        run_id=command.run_id,
        journey=command.journey,
        version=command.version,
        step=command.step,
        connector=command.connector,
        at=at,
        data=data,
        error=error,
        detail=detail,
    )
