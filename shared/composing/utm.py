"""The parameters by which web analytics know where a visit comes from (``utm_source`` and the like)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from shared.composing.page_links import replace_links
from shared.composing.text_links import replace_in_text
from shared.messages.command import SendCommand

_TAGGED = re.compile(r"[?&]utm_", re.IGNORECASE)


def with_utm(command: SendCommand, channel: str, parts: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``parts`` with the parameters of ``command.utm`` on the links of a mail, or the ``url`` of a push message.

    A link that has some of its own, or leads to another host, stays as it is; so does everything beside the links.
    """
    utm = command.utm
    if utm is None or command.to_staff:
        return parts
    said = {
        "utm_source": utm.source,
        "utm_medium": utm.medium or channel,
        "utm_campaign": utm.campaign or command.journey,
        "utm_content": utm.content or command.step,
    }
    query = urlencode(said)

    def tagged(url: str) -> str | None:
        if _host(url) not in utm.hosts or _TAGGED.search(url):
            return None
        address, mark, place = url.partition("#")
        return f"{address}{'&' if '?' in address else '?'}{query}{mark}{place}"

    found = dict(parts)
    if channel == "email":
        if "html" in parts:
            found["html"] = replace_links(parts["html"], lambda url, _tag: tagged(url))
        if "text" in parts:
            found["text"] = replace_in_text(parts["text"], tagged)
    elif "url" in parts:
        found["url"] = tagged(parts["url"]) or parts["url"]
    return found


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None
