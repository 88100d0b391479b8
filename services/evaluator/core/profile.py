"""Keeps what is known of the contact itself: who it is, what it consented to, what it did."""

from __future__ import annotations

from typing import Any, assert_never

from services.evaluator.core.consent import stated
from services.evaluator.core.draft import Draft
from shared.messages.answer import Answer
from shared.messages.enrolment import ENROLMENT, Enrolment
from shared.messages.event import Event
from shared.messages.outcome import Outcome


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
    data = {"name": record.name, "properties": properties}
    return {**data, "late": True} if isinstance(record, Event) and record.late else data


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
