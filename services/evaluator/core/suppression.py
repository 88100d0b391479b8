"""Addresses to which nothing is sent any more: what makes one useless, what lifts that, and what follows at once.

It is the address that is suppressed, by channel: another one of the contact is asked as any other. A hard bounce, a
complaint, or a provider's word that the address is dead suppress it; ``Suppression Lifted`` lifts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from services.evaluator.core.addresses import ADDRESS_TRAITS, address
from services.evaluator.core.consent import state_revoked
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import cancel, exit_by_consent
from services.evaluator.core.state import PendingCommand, Suppressed
from shared.ids import address_tag
from shared.journeys.model import TRACKING
from shared.messages.contact import SuppressionReason
from shared.messages.outcome import Outcome

BOUNCED, COMPLAINED, UNSUBSCRIBED = "Message Bounced", "Message Complained", "Unsubscribed"
SUPPRESSED, LIFTED = "Address Suppressed", "Suppression Lifted"
ABOUT_ADDRESS = frozenset({BOUNCED, COMPLAINED, SUPPRESSED, LIFTED, UNSUBSCRIBED})
"""Events that say something of an address."""
_REASONS: tuple[SuppressionReason, ...] = get_args(SuppressionReason)
SUPPRESSED_AT_MOST = 20
"""Dead addresses that are remembered of one contact; the oldest go first."""
_BY_DEFAULT = "email"
"""The channel of a bounce or complaint that names none: Segment's names for them are those of e-mail."""


def note_feedback(draft: Draft, name: str) -> None:
    """Take in what the event (``ABOUT_ADDRESS``) being applied says of one: that it is dead, or is not any more.

    A bounce counts if it says ``bounce: hard``. The address is the one of ``address_tag``, else the one that the
    contact has now. Who unsubscribes from a message whose topic nobody names wants nothing by that channel.
    """
    said = draft.event["properties"]
    channel = next((known for known in ADDRESS_TRAITS if known == said.get("channel", _BY_DEFAULT)), None)
    if channel is None:
        return
    place = address(draft.traits, channel)
    tag = said.get("address_tag")
    if not isinstance(tag, int):
        tag = None if place is None else address_tag(channel, place)
    if name == LIFTED:
        _lift(draft, channel, said)
    elif tag is not None and (reason := _reason(name, said)) is not None:
        _suppress(draft, channel, tag, reason, said)
    if name == COMPLAINED or (name == UNSUBSCRIBED and "topic" not in said and "command_id" in said):
        _lose_channel(draft, channel)


def _reason(name: str, said: Mapping[str, Any]) -> SuppressionReason | None:
    """Return why the event gives an address up; None: it does not."""
    if name == COMPLAINED:
        return "complained"
    given = next((one for one in _REASONS if one == said.get("dead" if name == BOUNCED else "reason")), None)
    if name == SUPPRESSED:
        return given or "opted_out"
    return given or "bounced" if name == BOUNCED and said.get("bounce") == "hard" else None


def note_dead(draft: Draft, command: PendingCommand, outcome: Outcome) -> None:
    """Take in which addresses of ``command`` its providers called dead, also where a later channel took the message."""
    tags = dict(zip(command.channels, command.places, strict=False))
    about = {"journey": outcome.journey, "command_id": outcome.command_id}
    asked = [*((one.channel, one.dead) for one in outcome.tried), (outcome.channel, outcome.dead)]
    for channel, dead in asked:
        if dead is not None and channel in tags:
            _suppress(draft, channel, tags[channel], dead, about)


def merged_suppressions(one: tuple[Suppressed, ...], other: tuple[Suppressed, ...]) -> tuple[Suppressed, ...]:
    """Return the dead addresses of two contacts that turn out to be one, each as it was first known."""
    found: dict[tuple[str, int], Suppressed] = {}
    for known in sorted((*one, *other), key=lambda known: known.at):
        found.setdefault((known.channel, known.address), known)
    return tuple(found.values())[-SUPPRESSED_AT_MOST:]


def _suppress(draft: Draft, channel: str, tag: int, reason: SuppressionReason, about: Mapping[str, Any]) -> None:
    """Send nothing to the address any more; what waits to be sent to it is called back. Known already: nothing new."""
    known = next((one for one in draft.suppressed if (one.channel, one.address) == (channel, tag)), None)
    if known is not None and (known.reason == reason or reason != "complained"):
        return
    others = tuple(one for one in draft.suppressed if one is not known)
    draft.suppressed = (*others, Suppressed(channel, tag, reason, draft.now))[-SUPPRESSED_AT_MOST:]
    draft.note("suppressed", *_journey_of(draft, about), channel=channel, reason=reason, command_id=_command_of(about))
    for command in draft.pending:
        if (channel, tag) in zip(command.channels, command.places, strict=False):
            cancel(draft, command, "suppressed")


def _lift(draft: Draft, channel: str, said: Mapping[str, Any]) -> None:
    """Let the channel's addresses be sent to again: those suppressed for the ``reason`` said, or all of them."""
    reason = said.get("reason")
    lifted = [one for one in draft.suppressed if one.channel == channel and reason in (None, one.reason)]
    if lifted:
        draft.suppressed = tuple(one for one in draft.suppressed if one not in lifted)
        given = None if reason is None else lifted[-1].reason
        draft.note("unsuppressed", *_journey_of(draft, said), channel=channel, reason=given)


def _lose_channel(draft: Draft, channel: str) -> None:
    """Take the consent for every topic back on ``channel``: who calls one message spam wants none by that way."""
    topics = dict.fromkeys(key.partition("/")[0] for key, said in draft.consent.items() if said.granted)
    for topic in topics:
        if topic != TRACKING:
            draft.consent = state_revoked(draft.consent, topic, channel, draft.now)
            exit_by_consent(draft, topic, channel)


def _journey_of(draft: Draft, about: Mapping[str, Any]) -> tuple[str, int]:
    """Return the journey of the message that it is about, where that is one of ours, for the journal."""
    journey = about.get("journey")
    plan = draft.catalog.newest.get(journey) if isinstance(journey, str) else None
    return ("", 0) if plan is None else (plan.journey.id, plan.journey.version)


def _command_of(about: Mapping[str, Any]) -> str | None:
    command = about.get("command_id")
    return command if isinstance(command, str) else None
