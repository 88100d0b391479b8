"""When an event happened by our clock: the sender's clock corrected by the time at which it sent."""

from __future__ import annotations

from services.ingest.errors import InvalidEventError
from shared.clock import HOUR, from_iso

_MAX_FUTURE = 23 * HOUR
"""As PostHog: a zone error is at most 14 h; what is further in the future is a broken clock."""

_MILLISECONDS_FROM = 100_000_000_000
"""A number from here on is in milliseconds (1973), below it in seconds (year 5138)."""


def instant(value: object) -> int | None:
    """Return the milliseconds of an ISO text or of a number of seconds or milliseconds; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            return from_iso(value.strip())
        except (ValueError, OverflowError):
            return None
    if isinstance(value, int | float):
        return round(value if abs(value) >= _MILLISECONDS_FROM else value * 1000)
    return None


def corrected_time(said: object, *, sent_at: int | None, received_at: int) -> int:
    """Return ``received_at - (sent_at - said)``: a wrong client clock is wrong in both, so it cancels out.

    Nothing said: ``received_at``. No ``sent_at``: as said. More than 23 h in the future: ``received_at``. Raises
    InvalidEventError for a time that is none: taken as now, an old event in an import would start journeys.
    """
    if said is None or said == "":
        return received_at
    at = instant(said)
    if at is None:
        raise InvalidEventError("timestamp is not an ISO 8601 time", code="invalid_timestamp")
    if sent_at is not None:
        at = received_at - (sent_at - at)
    if at - received_at > _MAX_FUTURE:
        return received_at
    if at < 0:
        raise InvalidEventError("timestamp is before 1970", code="invalid_timestamp")
    return at
