"""The wire model of enrolments: one request → one Enrolment. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from services.ingest.errors import InvalidEventError
from services.ingest.schemas import owner_of
from services.ingest.timestamps import corrected_time
from shared.ids import derived_id
from shared.journeys.ids import is_id
from shared.messages.enrolment import Enrolment

MAX_KEY_LENGTH = 255


class EnrolmentCall(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is to enter, and with what. ``timestamp``: when the cause happened, now if it is left out."""

    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    context: dict[str, Any] = {}
    timestamp: str | int | float | None = None


def to_enrolment(item: object, journey: str, key: str, received_at: int) -> Enrolment:
    """Return the enrolment in ``journey`` that ``item`` asks for; ``key`` names it: a repeat is a duplicate.

    Whether there is such a journey is not known here. Raises InvalidEventError with the code of the rule it breaks.
    """
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        raise InvalidEventError(
            f"the header Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable characters", code="no_idempotency_key"
        )
    if not is_id(journey):
        raise InvalidEventError("a journey's id has up to 64 small letters, digits and _", code="invalid_journey")
    try:
        call = msgspec.convert(item, EnrolmentCall)
    except msgspec.ValidationError as error:
        raise InvalidEventError("a field has the wrong type", detail=str(error)) from error
    user_id, anonymous_id = owner_of(call.user_id, call.anonymous_id)
    return Enrolment(
        message_id=derived_id("enrolment", journey, key),
        journey=journey,
        timestamp=corrected_time(call.timestamp, sent_at=None, received_at=received_at),
        received_at=received_at,
        user_id=user_id,
        anonymous_id=anonymous_id,
        context=call.context,
    )
