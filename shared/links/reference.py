"""What goes to a provider with a message and comes back with its feedback: whose message it was, as short as can be.

A mail's envelope sender has room for 64 characters before the ``@``, which is what a bounce is found back by. So the
reference carries the beginning of the command's id alone, and ids of contacts as the bytes that they stand for::

    byte 0       bits 0-3 the channel, 4-6 how the id is written, 7 whether it is a user's
    bytes 1-8    the first 8 bytes of the command's id
    bytes 9-12   the tag of the address (``address_tag``)
    the rest     the contact's id
"""

from __future__ import annotations

import re
from uuid import UUID

import msgspec

from shared.links.seals import Seals

CHANNELS = ("email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack")
"""By number; a channel that is new comes last, for references live as long as mail is under way."""
_PREFIX, _TAG = 8, 4
_HEAD = 1 + _PREFIX + _TAG
_USER = 0x80
_TEXT, _UUID, _HEX = 0, 1, 2
_IS_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_IS_HEX = re.compile(r"(?:[0-9a-f]{2})+")


class Reference(msgspec.Struct, frozen=True):
    """Whose message it was. ``command`` is the beginning of its id, enough to tell it from the contact's others."""

    contact: str
    command: str
    channel: str
    address_tag: int


def reference_of(seals: Seals, contact: str, command_id: str, channel: str, address_tag: int) -> str:
    """Return the reference of the message to ``contact`` (a key).

    It has 62 characters at most where the contact's id is a UUID, a text of 17 bytes or 34 hexadecimal digits.
    """
    kind, _, name = contact.partition(":")
    form, written = _written(name)
    head = (_USER if kind == "u" else 0) | form << 4 | CHANNELS.index(channel)
    content = bytes([head]) + UUID(command_id).bytes[:_PREFIX] + address_tag.to_bytes(_TAG, "big") + written
    return seals.seal("reference", content)


def resolve(seals: Seals, token: str) -> Reference | None:
    """Return what ``token`` refers to; None: it is no reference of ours."""
    content = seals.open("reference", token)
    if content is None or len(content) <= _HEAD or content[0] & 0x0F >= len(CHANNELS):
        return None
    head, digits = content[0], content[1 : 1 + _PREFIX].hex()
    name = _read(head >> 4 & 0x07, content[_HEAD:])
    if name is None:
        return None
    return Reference(
        contact=f"{'u' if head & _USER else 'a'}:{name}",
        command=f"{digits[:8]}-{digits[8:12]}-{digits[12:]}",
        channel=CHANNELS[head & 0x0F],
        address_tag=int.from_bytes(content[1 + _PREFIX : _HEAD], "big"),
    )


def _written(name: str) -> tuple[int, bytes]:
    """Return the shortest form of ``name`` that is read back as the very same text, with its number."""
    if _IS_UUID.fullmatch(name):
        return _UUID, UUID(name).bytes
    if _IS_HEX.fullmatch(name):
        return _HEX, bytes.fromhex(name)
    return _TEXT, name.encode()


def _read(form: int, written: bytes) -> str | None:
    try:
        match form:
            case 0:
                return written.decode()
            case 1:
                return str(UUID(bytes=written))
            case 2:
                return written.hex()
            case _:
                return None
    except ValueError:
        return None
