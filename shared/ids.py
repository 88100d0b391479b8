"""Derived ids: the same cause gives the same id on every host, in every replay, after every crash."""

from __future__ import annotations

import hashlib
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1f4b0e-6d3e-5c55-9c0b-6b696b6b616b")
_SEPARATOR = "\x1f"


def derived_id(*parts: str) -> str:
    """Return the uuid5 of ``parts``; parts are joined by a character that no part may hold as a forgery.

    The unit separator inside a part is escaped, so that ("a", "b") and ("a\\x1fb",) differ.
    """
    return str(uuid5(_NAMESPACE, _SEPARATOR.join([part.replace(_SEPARATOR, _SEPARATOR * 2) for part in parts])))


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


def outcome_id(command: str) -> str:
    """Return the messageId of the one outcome of ``command``: a repeated report is a duplicate."""
    return derived_id("outcome", command)
