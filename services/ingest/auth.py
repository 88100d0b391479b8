"""Finds the write key of a request, and checks the admin token.

Write keys are public ids, visible in every page's source: they protect nothing. The admin token is a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Iterator, Mapping

from services.ingest.errors import NotAdminError, UnauthorizedError

_BODY_KEYS = ("writeKey", "api_key", "token")
"""What Segment and PostHog call it."""


class Admin:
    """Knows the admin token by its hash alone: neither a dump of the memory nor the time of an answer shows it."""

    def __init__(self, token: str | None) -> None:
        """``token`` None: nobody is the admin here."""
        self._digest = None if token is None else _digest(token)

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise NotAdminError unless the request carries the token as a bearer."""
        if self._digest is None:
            raise NotAdminError("no admin token is set here: set KIKKAKE_ADMIN_TOKEN", code="no_admin_token")
        scheme, _, token = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(token.strip()), self._digest):
            raise NotAdminError("give the admin token: Authorization: Bearer TOKEN")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def known_key(candidates: Iterator[str], write_keys: Collection[str]) -> str | None:
    """Return the first candidate that is a write key, or None.

    The first *known* one, as the clients' credentials contradict each other: Jitsu masks the key in the body, Segment's
    OAuth sends a token of its own as Bearer beside the key in the body.
    """
    return next((candidate for candidate in candidates if candidate in write_keys), None)


def header_keys(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys in the headers, in the order in which they count: Basic user, X-Write-Key, Bearer."""
    scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "basic":
        user = _basic_user(credentials.strip())
        if user:
            yield user
    if "x-write-key" in headers:
        yield headers["x-write-key"].strip()
    if scheme.lower() == "bearer":
        yield credentials.strip()


def body_keys(body: object) -> Iterator[str]:
    """Yield the keys in the body, at its top or in its properties (PostHog in a browser); of a list, in its first."""
    if isinstance(body, list):
        body = body[0] if body else None
    for found in (body, body.get("properties") if isinstance(body, dict) else None):
        if isinstance(found, dict):
            yield from (value for name in _BODY_KEYS if isinstance(value := found.get(name), str))


def query_keys(query: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys in the query string."""
    yield from (query[name] for name in _BODY_KEYS if name in query)


def authorize(headers: Mapping[str, str], body: object, query: Mapping[str, str], write_keys: Collection[str]) -> str:
    """Return the request's write key. Raises UnauthorizedError if there is none, or none that is known."""
    candidates = [*header_keys(headers), *body_keys(body), *query_keys(query)]
    found = known_key(iter(candidates), write_keys)
    if found is not None:
        return found
    if candidates:
        raise UnauthorizedError("the write key is not known here")
    raise UnauthorizedError("the request carries no write key", code="missing_write_key")


def _basic_user(credentials: str) -> str | None:
    """Return the user of Basic credentials. Old clients leave out the colon."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[0]
