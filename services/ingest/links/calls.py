"""What following a link comes to: calls of the tracking API, as any other source's. Pure.

Their messageIds are derived, so that repeats are duplicates: opens of a message count once an hour, follows of a link
once a minute. A choice counts each time it is made: it may be made back and forth, and the last one is what was wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.links.machines import What
from shared.clock import HOUR, MINUTE
from shared.ids import derived_id
from shared.links.link import Link
from shared.links.seals import Purpose

FOLLOWED: dict[Purpose, str] = {"click": "Message Clicked", "share": "Message Shared", "forward": "Message Forwarded"}
"""The event of a link that is followed, by what it was sealed for."""
OPENED, SCANNED, UNSUBSCRIBED = "Message Opened", "Message Scanned", "Unsubscribed"


def opened(link: Link, token: str, now: int) -> dict[str, Any]:
    """Return the call that says that the message was opened at ``now``."""
    return _track(link, OPENED, derived_id(OPENED, token, str(now // HOUR)), now)


def followed(link: Link, purpose: Purpose, token: str, now: int) -> dict[str, Any]:
    """Return the call that says that the link was followed at ``now``."""
    name = FOLLOWED[purpose]
    return _track(link, name, derived_id(name, token, str(now // MINUTE)), now, url=link.target)


def scanned(link: Link, what: What, by: str, token: str, now: int) -> dict[str, Any]:
    """Return the call that says that a machine did it: what kind is ``by``."""
    return _track(link, SCANNED, derived_id(SCANNED, token, str(now // HOUR)), now, what=what, by=by)


def chosen(link: Link, choices: Mapping[str, str], token: str, now: int) -> list[dict[str, Any]]:
    """Return the calls of what the contact wants to be sent: the status (granted or revoked) of topics."""
    made: list[dict[str, Any]] = []
    for topic, status in choices.items():
        made.append(
            {
                "type": "consent",
                **_owner(link),
                "topic": topic,
                "status": status,
                "messageId": derived_id("chosen", token, topic, status, str(now)),
                "timestamp": now,
                "properties": _about(link),
            }
        )
        if status == "revoked":
            made.append(_track(link, UNSUBSCRIBED, derived_id(UNSUBSCRIBED, token, topic, str(now)), now, topic=topic))
    return made


def _track(link: Link, name: str, message_id: str, now: int, **more: str) -> dict[str, Any]:
    properties = {**_about(link), **more}
    return {
        "type": "track",
        "event": name,
        **_owner(link),
        "messageId": message_id,
        "timestamp": now,
        "properties": properties,
    }


def _about(link: Link) -> dict[str, Any]:
    return {
        "command_id": link.command_id,
        "journey": link.journey,
        "version": link.version,
        "step": link.step,
        "channel": link.channel,
    }


def _owner(link: Link) -> dict[str, str]:
    kind, _, name = link.contact.partition(":")
    return {"userId" if kind == "u" else "anonymousId": name}
