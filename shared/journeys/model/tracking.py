"""Consent to be tracked: what a workspace says about events of contacts who have not given it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

TRACKING = "tracking"
"""The topic of consent to be tracked."""
Untracked = Literal["drop", "anonymise"]
UNTRACKED: tuple[Untracked, ...] = get_args(Untracked)


_FACTS = frozenset(
    {
        "Message Delivered",
        "Message Bounced",
        "Message Complained",
        "Message Scanned",
        "Address Suppressed",
        "Suppression Lifted",
        "Unsubscribed",
    }
)
"""What a provider says of a message, and the contact's no: none of it is tracking, and sending needs it."""


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of events without consent to tracking (the topic `tracking`).

    ``required``: without a consent that was given nothing is tracked; else only those who have revoked it are not.
    ``category`` is the name under which a page's consent tool states it in each event. ``untracked`` is what ingest
    does with an event that says so itself; ``keep`` are the properties that an anonymised one keeps. ``exempt`` are
    events that are needed whatever the contact says, such as an order to be confirmed.
    """

    required: bool = False
    category: str = TRACKING
    untracked: Untracked = "drop"
    keep: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()

    def concerns(self, event: str) -> bool:
        """Tell whether the event of that name needs consent to tracking."""
        return event not in _FACTS and event not in self.exempt

    def stated_in(self, context: Mapping[str, Any]) -> bool | None:
        """Return what an event's own ``context`` says (Segment's ``consent.categoryPreferences``); None: nothing."""
        consent = context.get("consent")
        preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
        stated = preferences.get(self.category) if isinstance(preferences, dict) else None
        return stated if isinstance(stated, bool) else None
