"""Derived ids: the same cause gives the same id on every host, in every replay, after every crash."""

from __future__ import annotations

import hashlib
from uuid import UUID

_NAMESPACE = UUID("6f1f4b0e-6d3e-5c55-9c0b-6b696b6b616b").bytes
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The digit that tells a UUID's variant keeps two bits of the hash."""
_SEPARATOR = "\x1f"
_ESCAPE = "\x1e"


def derived_id(*parts: str) -> str:
    """Return the uuid5 of ``parts``, of which there is at least one; other parts give another id.

    Parts come from outside: the character that joins them is escaped in them, and so is the escape.
    """
    name = _SEPARATOR.join(parts)
    if _ESCAPE in name or name.count(_SEPARATOR) >= len(parts):  # hardly ever, and it would take a third of the time
        name = _SEPARATOR.join([_escaped(part) for part in parts])
    text = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def run_id(contact: str, journey: str, key: str, cause: str) -> str:
    """Return the id of the run that ``cause`` (a messageId, occurrence or enrolment key) starts."""
    return derived_id("run", contact, journey, key, cause)


def command_id(run: str, step: str, visit: int, part: str = "") -> str:
    """Return the id of what ``step`` sends at its ``visit``; the version is left out, or a migration sends twice."""
    return derived_id("command", run, step, str(visit), part)


def contact_key(user_id: str | None, anonymous_id: str | None) -> str | None:
    """Return the contact's key: ``u:`` and the userId, else ``a:`` and the anonymousId, else None."""
    if user_id:
        return f"u:{user_id}"
    if anonymous_id:
        return f"a:{anonymous_id}"
    return None


def short_hash(text: str) -> int:
    """Return 63 bits of a hash of ``text``, the same on every machine (unlike ``hash``)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def address_tag(channel: str, address: str) -> int:
    """Return 32 bits that tell one address of ``channel`` of a contact from another of its own, and do not tell it.

    Letters of an e-mail address count alike, large or small.
    """
    place = address.strip()
    return short_hash(f"{channel}:{place.casefold() if channel == 'email' else place}") & 0xFFFF_FFFF


def outcome_id(command: str) -> str:
    """Return the messageId of the one outcome of ``command``: a repeated report is a duplicate."""
    return derived_id("outcome", command)


def _escaped(part: str) -> str:
    return part.replace(_ESCAPE, _ESCAPE + "0").replace(_SEPARATOR, _ESCAPE + "1")
