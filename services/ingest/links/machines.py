"""Tells machines that look at a message from the person to whom it was sent. Pure.

By what the request says of itself, and by its time: nobody follows a link while its message is being delivered. What a
machine does to look like a person cannot be seen; who counts opens should know that.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

from shared.clock import SECOND
from shared.ids import short_hash

What = Literal["opened", "clicked"]

TOO_SOON = 5 * SECOND
"""ms after its decision in which nobody has got, read and followed a link of a message."""
TOGETHER = 2 * SECOND
"""ms within which somebody who follows ``TOO_MANY`` links of one message is a filter that follows them all."""
TOO_MANY = 3
_MESSAGES_AT_MOST = 10_000
_LINKS_AT_MOST = 50

_PREFETCH = re.compile(r"\b(?:prefetch|preview|prerender)\b", re.IGNORECASE)
_PURPOSES = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_KINDS = (
    # Apple's Mail loads every picture through a relay when the mail arrives, and says no more than this.
    ("apple_mail_privacy", re.compile(r"^Mozilla/5\.0$")),
    (
        "security_filter",
        re.compile(r"barracuda|proofpoint|mimecast|symantec|trendmicro|fortinet|forcepoint", re.IGNORECASE),
    ),
    (
        "link_preview",
        re.compile(r"facebookexternalhit|line-poker|slackbot|twitterbot|whatsapp|telegrambot|skypeuri", re.IGNORECASE),
    ),
    ("robot", re.compile(r"bot\b|crawl|spider|preview|scanner|headless|monitor", re.IGNORECASE)),
    (
        "program",
        re.compile(
            r"^(?:curl|wget|python|go-http|java|okhttp|node|axios|ruby|perl|php|libwww|apache-http)", re.IGNORECASE
        ),
    ),
)


def machine_of(method: str, headers: Mapping[str, str], what: What, age: int) -> str | None:
    """Return what kind of machine asks, None for a person as far as anybody can tell.

    ``headers`` are looked up in small letters; ``age`` is ms since the message was decided. Google's picture proxy
    is no machine in this sense: it loads a picture when its reader opens the mail.
    """
    if method == "HEAD":
        return "head"
    if any(_PREFETCH.search(headers.get(name, "")) for name in _PURPOSES):
        return "prefetch"
    agent = headers.get("user-agent", "").strip()
    if not agent:
        return "nameless"
    found = next((kind for kind, pattern in _KINDS if pattern.search(agent)), None)
    if found is None and what == "clicked" and age < TOO_SOON:
        return "too_soon"
    return found


class Followers:
    """Which links of each message were followed just now, in this process. Bounded."""

    def __init__(self) -> None:
        """Begin with none."""
        self._followed: OrderedDict[str, dict[int, int]] = OrderedDict()

    def follow(self, message: str, target: str, now: int) -> bool:
        """Note that the link to ``target`` is followed; True: so many are at once that it is a filter.

        The first ones have been taken for a person's by then.
        """
        known = self._followed.pop(message, {})
        recent = {link: at for link, at in known.items() if now - at < TOGETHER}
        if len(recent) < _LINKS_AT_MOST:
            recent[short_hash(target)] = now
        self._followed[message] = recent
        if len(self._followed) > _MESSAGES_AT_MOST:
            self._followed.popitem(last=False)
        return len(recent) >= TOO_MANY
