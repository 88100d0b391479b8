"""Keeps what is known of the contact itself: who it is, what it consented to, what it did."""

from __future__ import annotations

from typing import Any, assert_never

from services.evaluator.core.consent import stated
from services.evaluator.core.draft import Draft
from shared.clock import HOUR
from shared.messages.answer import Answer
from shared.messages.enrolment import ENROLMENT, Enrolment
from shared.messages.event import Event
from shared.messages.outcome import Outcome

REMEMBER_FOR = 48 * HOUR
"""How long a messageId is remembered, in log time: longer than any client retries (Segment's in Python: 12 h)."""
REMEMBER_AT_MOST = 1_000
"""How many messageIds are remembered per contact; the oldest go first."""
RECENT_AT_MOST = 20
"""How many events the profile shows."""


def event_data(record: Event | Outcome | Answer | Enrolment) -> dict[str, Any]:
    """Return the event as conditions and templates see it."""
    properties: dict[str, Any]
    match record:
        case Event():
            properties = record.properties
        case Outcome():
            properties = {"channel": record.channel, "reason": record.reason}
            properties |= {"journey": record.journey, "step": record.step}
        case Answer():
            properties = {"connector": record.connector, "reason": record.error}
            properties |= {"journey": record.journey, "step": record.step}
        case Enrolment():
            return {"name": record.name, "properties": record.context, "type": ENROLMENT}
        case _:
            assert_never(record)
    return {"name": record.name, "properties": properties}


def remember_id(draft: Draft, hashed: int) -> None:
    """Take note of the ``hashed`` messageId: a repeat of the record changes nothing."""
    draft.seen = _remembered(draft.seen, hashed, draft.log_time)


def remember(draft: Draft, record: Event | Outcome | Answer) -> None:
    """Take note of the event for the profile."""
    if isinstance(record, Event):
        draft.recent = (*draft.recent, (record.name, draft.now))[-RECENT_AT_MOST:]


def apply_profile(draft: Draft, event: Event) -> None:
    """Merge the traits of an identify call."""
    if event.type == "identify" and (event.traits or event.traits_once):
        missing = {name: value for name, value in event.traits_once.items() if draft.traits.get(name) is None}
        draft.traits = {**draft.traits, **missing, **event.traits}
    if event.user_id and event.anonymous_id and event.anonymous_id != draft.anonymous_id:
        draft.anonymous_id = event.anonymous_id


def apply_consent(draft: Draft, event: Event) -> bool:
    """Take a statement of consent; False when a newer one is known already."""
    known = stated(draft.consent, event, draft.now)
    if known is None:
        return False
    draft.consent = known
    return True


def _remembered(seen: dict[int, int], hashed: int, log_time: int) -> dict[int, int]:
    oldest = next(iter(seen.values()), log_time)
    if oldest <= log_time - REMEMBER_FOR:
        seen = {key: at for key, at in seen.items() if at > log_time - REMEMBER_FOR}
    added = {**seen, hashed: log_time}
    if len(added) > REMEMBER_AT_MOST:
        added.pop(next(iter(added)))
    return added
