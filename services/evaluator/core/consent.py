"""Consent to be sent to: kept per topic and channel, the newest statement counts."""

from __future__ import annotations

from collections.abc import Mapping

from services.evaluator.core.state import Consent
from shared.journeys.model import TRACKING
from shared.messages.event import Event


def consent_key(topic: str, channel: str | None) -> str:
    """Return the key of a statement: for all channels of ``topic``, or for one."""
    return f"{topic}/{channel}" if channel else topic


def stated(known: Mapping[str, Consent], event: Event, at: int) -> dict[str, Consent] | None:
    """Return ``known`` with what the consent ``event`` states; None when a newer statement is known already.

    By the time at which it was said and not by arrival: an old grant that comes late does not undo a revocation. Of two
    said at one time the revocation counts.
    """
    key = consent_key(str(event.properties.get("topic", "")), stated_channel(event))
    made = Consent(event.properties.get("status") == "granted", at)
    return _newest(known, key, made)


def state_consent(known: Mapping[str, Consent], topic: str, *, granted: bool, at: int) -> dict[str, Consent]:
    """Return ``known`` with a statement for all channels of ``topic``, unless a newer one is known."""
    return _newest(known, topic, Consent(granted, at)) or dict(known)


def state_revoked(known: Mapping[str, Consent], topic: str, channel: str, at: int) -> dict[str, Consent]:
    """Return ``known`` with ``topic`` revoked for ``channel``, unless a newer statement about that is known."""
    return _newest(known, consent_key(topic, channel), Consent(granted=False, at=at)) or dict(known)


def newest_of(one: Mapping[str, Consent], other: Mapping[str, Consent]) -> dict[str, Consent]:
    """Return the newest statement of two contacts that turn out to be one, for each topic and channel."""
    found = dict(one)
    for key, statement in other.items():
        found = _newest(found, key, statement) or found
    return found


def _newest(known: Mapping[str, Consent], key: str, made: Consent) -> dict[str, Consent] | None:
    former = known.get(key)
    if former is not None and (former.at > made.at or (former.at == made.at and not former.granted)):
        return None
    return {**known, key: made}


def allows(known: Mapping[str, Consent], topic: str | None, channel: str) -> bool:
    """Tell whether the newest statement for ``topic`` that concerns ``channel`` is a grant; unknown is no."""
    if topic is None:
        return False
    said = [known[key] for key in (consent_key(topic, None), consent_key(topic, channel)) if key in known]
    if not said:
        return False
    newest = max(statement.at for statement in said)
    return all(statement.granted for statement in said if statement.at == newest)


def may_be_tracked(known: Mapping[str, Consent], *, required: bool) -> bool:
    """Tell whether the contact may be tracked; ``required``: only if it has said so."""
    said = known.get(TRACKING)
    return not required if said is None else said.granted


def is_revoked(event: Event) -> bool:
    """Tell whether the consent ``event`` takes consent away."""
    return event.properties.get("status") != "granted"


def stated_channel(event: Event) -> str | None:
    """Return the channel that the consent ``event`` is about; None: all of them."""
    channel = event.properties.get("channel")
    return channel if isinstance(channel, str) and channel else None
