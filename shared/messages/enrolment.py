"""The wish that a contact enters a journey: from the API, or from the step ``enrol`` of another one."""

from __future__ import annotations

from typing import Any

import msgspec

ENROLLED = "Enrolled"
"""What the entering run's ``event`` is called."""
ENROLMENT = "enrolment"
"""Its ``type``, which no event of a contact has: its properties are what the run's context begins with."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="enrolment"):
    """Let the contact enter ``journey``, which has an ``api`` trigger, with ``context``.

    ``message_id`` is derived from who asks: a repeat is a duplicate; ``run_id`` is the run that asks, empty: the API.
    ``hops`` counts the events of our own that led to it, since ``hops_since`` (log time).
    """

    message_id: str
    journey: str
    timestamp: int
    received_at: int
    user_id: str | None = None
    anonymous_id: str | None = None
    context: dict[str, Any] = {}
    run_id: str = ""
    hops: int = 0
    hops_since: int = 0

    @property
    def name(self) -> str:
        """The name of the run's ``event``."""
        return ENROLLED
