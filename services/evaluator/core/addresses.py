"""Where a contact can be reached: channel to the trait that holds the address, and which addresses are of no use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.evaluator.core.state import Suppressed
from shared.ids import address_tag
from shared.journeys.predicate import Channel

ADDRESS_TRAITS: dict[Channel, tuple[str, ...]] = {
    "email": ("email",),
    "sms": ("phone",),
    "whatsapp": ("whatsapp", "phone"),
    "line": ("line_user_id",),
    "push": ("push_token",),
    "web_push": ("web_push_subscription",),
    "in_app": (),
    "webhook": ("webhook_url",),
    "slack": ("slack_webhook_url",),
}
"""The first of these traits that holds a text is the address. In-app needs none: it waits for the contact."""


def address(traits: Mapping[str, Any], channel: Channel) -> str | None:
    """Return the contact's address for ``channel``, or None when there is none."""
    for trait in ADDRESS_TRAITS[channel]:
        value = traits.get(trait)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def addresses(traits: Mapping[str, Any], channels: Iterable[Channel]) -> dict[Channel, str]:
    """Return the address of each of ``channels`` that has one, in their order."""
    found: dict[Channel, str] = {}
    for channel in channels:
        place = address(traits, channel)
        if place is not None:
            found[channel] = place
    return found


def is_suppressed(suppressed: Iterable[Suppressed], channel: str, place: str) -> bool:
    """Tell whether ``place`` is an address of ``channel`` to which nothing is sent any more."""
    if not suppressed:
        return False
    tag = address_tag(channel, place)
    return any(one.channel == channel and one.address == tag for one in suppressed)


def is_reachable(traits: Mapping[str, Any], suppressed: Iterable[Suppressed], channel: Channel) -> bool:
    """Tell whether the contact has an address for ``channel`` to which something may be sent."""
    place = address(traits, channel)
    return place is not None and not is_suppressed(suppressed, channel, place)
