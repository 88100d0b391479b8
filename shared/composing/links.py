"""The links of a message that lead back to us: opened, clicked, unsubscribed; and what finds its feedback back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from shared.composing.page_links import replace_links, with_picture
from shared.composing.text_links import replace_in_text
from shared.errors import ConfigurationError
from shared.ids import address_tag
from shared.links.link import CLICK, COUNTDOWN, OPEN, UNSUBSCRIBE, VIEW, Link, url_of
from shared.links.reference import reference_of
from shared.links.seals import Purpose, Seals
from shared.messages.command import SendCommand
from shared.rendering.countdown import Countdown
from shared.rendering.roots import with_links

REFERENCE_HEADER = "X-Kikkake-Reference"
"""The header of a mail in which its reference stands: a bounce that was not sent to it brings the header back."""
_MAILBOX = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}")
_ENCODER = msgspec.msgpack.Encoder()
_UNTRACKED = "data-kikkake-track"
_AS = "data-kikkake-as"
_PURPOSES: dict[str, Purpose] = {"share": "share", "forward": "forward"}
_LONGEST_TARGET = 3_000
"""Bytes of an address that is still replaced: with it sealed, the new one is a third longer."""


class Links(Protocol):
    """What a message has of ours: links to unsubscribe and to be tracked by, and what its feedback is found back by."""

    def data(self, command: SendCommand, channel: str, offset: int | None) -> Mapping[str, Any]:
        """Return what the texts of ``command``, whose record is at ``offset`` of ``commands``, may refer to."""

    def countdown(self, countdown: Countdown) -> str | None:
        """Return where the picture is drawn; None: nowhere."""

    def parts(self, command: SendCommand, channel: str, parts: Mapping[str, str]) -> Mapping[str, str]:
        """Return the rendered ``parts`` as they are sent."""

    def headers(self, command: SendCommand, channel: str) -> Mapping[str, str]:
        """Return further headers (List-Unsubscribe)."""

    def reference(self, command: SendCommand, channel: str) -> str | None:
        """Return ``Message.reference``."""


class NoLinks:
    """Messages as they are: nobody said where links would lead."""

    def data(self, command: SendCommand, channel: str, offset: int | None) -> Mapping[str, Any]:
        """Return the command's own data."""
        return command.data

    def countdown(self, countdown: Countdown) -> str | None:
        """Return None."""
        return None

    def parts(self, command: SendCommand, channel: str, parts: Mapping[str, str]) -> Mapping[str, str]:
        """Return ``parts``."""
        return parts

    def headers(self, command: SendCommand, channel: str) -> Mapping[str, str]:
        """Return none."""
        return {}

    def reference(self, command: SendCommand, channel: str) -> str | None:
        """Return None."""
        return None


NO_LINKS = NoLinks()


class MessageLinks:
    """Makes them below ``public_url``. The same message has the same links, however often it is made."""

    def __init__(self, seals: Seals, public_url: str, *, mailto: str | None = None) -> None:
        """``mailto``: an address to which a mail with a token as its subject unsubscribes, too."""
        self._seals = seals
        self._public_url = public_url
        self._mailto = mailto
        self._own = tuple(public_url + path for path in (OPEN, CLICK, UNSUBSCRIBE, VIEW))

    def data(self, command: SendCommand, channel: str, offset: int | None) -> Mapping[str, Any]:
        """Return the command's data with the links that a text may print."""
        if command.to_staff:
            return command.data
        found = {
            "unsubscribe_url": self._unsubscribe(command, channel),
            "preferences_url": self._url("preferences", command, channel),
        }
        if channel == "email" and offset is not None:
            found["view_in_browser_url"] = self._url("view", command, channel, str(offset))
        return with_links(command.data, found)

    def countdown(self, countdown: Countdown) -> str:
        """Return where the picture is drawn: for everybody the same."""
        return f"{self._public_url}{COUNTDOWN}{self._seals.seal('countdown', _ENCODER.encode(countdown))}"

    def parts(self, command: SendCommand, channel: str, parts: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parts of the rendered message; the links of a mail lead here first, where it may be tracked."""
        if command.to_staff or not command.tracked or channel != "email":
            return parts
        found = dict(parts)
        if "html" in parts:
            page = replace_links(parts["html"], lambda url, tag: self._click(command, channel, url, tag))
            found["html"] = with_picture(page, self._url("open", command, channel))
        if command.text_tracked:
            found["text"] = replace_in_text(parts["text"], lambda url: self._click(command, channel, url, {}))
        return found

    def headers(self, command: SendCommand, channel: str) -> Mapping[str, str]:
        """Return further headers of a mail: how to unsubscribe (RFC 2369, 8058), of marketing only."""
        reference = self.reference(command, channel)
        if channel != "email" or reference is None:
            return {}
        found = {REFERENCE_HEADER: reference}
        if command.purpose == "marketing" and command.topic is not None:
            url = self._unsubscribe(command, channel)
            by_mail = f", <mailto:{self._mailto}?subject={url.rpartition('/')[2]}>" if self._mailto else ""
            found["List-Unsubscribe"] = f"<{url}>{by_mail}"
            found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return found

    def reference(self, command: SendCommand, channel: str) -> str | None:
        """Return what the provider's feedback brings back; None of what goes to staff: it says nothing of a contact."""
        if command.to_staff:
            return None
        tag = address_tag(channel, command.addresses[channel])
        return reference_of(self._seals, command.contact, command.command_id, channel, tag)

    def _unsubscribe(self, command: SendCommand, channel: str) -> str:
        if command.purpose != "marketing" or command.topic is None:
            return self._url("preferences", command, channel)
        return self._url("unsubscribe", command, channel, command.topic)

    def _click(self, command: SendCommand, channel: str, url: str, tag: Mapping[str, str]) -> str | None:
        if len(url.encode("utf-8", "replace")) > _LONGEST_TARGET or not _leads_to_a_site(url):
            return None
        if tag.get(_UNTRACKED) == "off" or url.startswith(self._own):
            return None
        return self._url(_PURPOSES.get(tag.get(_AS, ""), "click"), command, channel, url)

    def _url(self, purpose: Purpose, command: SendCommand, channel: str, target: str = "") -> str:
        link = Link(
            contact=command.contact,
            command_id=command.command_id,
            journey=command.journey,
            version=command.version,
            step=command.step,
            channel=channel,
            at=command.decided_at,
            target=target,
        )
        return url_of(self._seals, self._public_url, purpose, link)


def _leads_to_a_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def links_of(seals: Seals | None, public_url: str | None, mailto: str | None = None) -> Links:
    """Return what makes links, as the operator's settings have it."""
    if seals is None or public_url is None:
        return NoLinks()
    if mailto is not None and not _MAILBOX.fullmatch(mailto):
        raise ConfigurationError("KIKKAKE_UNSUBSCRIBE_MAIL is an address such as unsubscribe@m.shop.example")
    return MessageLinks(seals, public_url, mailto=mailto)
