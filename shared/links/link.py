"""What a link in a message carries, and the addresses at which ingest takes links."""

from __future__ import annotations

import msgspec

from shared.links.seals import Purpose, Seals

OPEN, CLICK, UNSUBSCRIBE, VIEW, COUNTDOWN = "/t/o/", "/t/c/", "/u/", "/v/", "/t/i/"
"""The paths before a token."""
PATHS: dict[Purpose, str] = {
    "open": OPEN,
    "click": CLICK,
    "share": CLICK,
    "forward": CLICK,
    "unsubscribe": UNSUBSCRIBE,
    "preferences": UNSUBSCRIBE,
    "view": VIEW,
    "countdown": COUNTDOWN,
}


class Link(msgspec.Struct, frozen=True, array_like=True):
    """Whose message it is in, and which.

    ``target`` is the address behind a click, the topic of an unsubscription, the offset in ``commands`` of a message to
    be shown. ``contact`` is the contact's key (``u:…``), ``at`` when the message was decided (log time, ms).
    """

    contact: str
    command_id: str
    journey: str
    version: int
    step: str
    channel: str
    at: int
    target: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Link)


def url_of(seals: Seals, public_url: str, purpose: Purpose, link: Link) -> str:
    """Return the address of ``link`` below ``public_url`` (without a slash at its end)."""
    return f"{public_url}{PATHS[purpose]}{seals.seal(purpose, _ENCODER.encode(link))}"


def link_of(seals: Seals, purpose: Purpose, token: str) -> Link | None:
    """Return the link that ``token`` was sealed as for ``purpose``; None: it was not."""
    content = seals.open(purpose, token)
    try:
        return None if content is None else _DECODER.decode(content)
    except msgspec.DecodeError:
        return None
