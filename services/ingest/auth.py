"""Finds the write key of a request, and checks admin tokens.

Write keys are public ids, visible in every page's source: they protect nothing. An admin token is a secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from services.ingest.errors import NoAdminError, NotAdminError, UnauthorizedError
from services.ingest.keys import AdminToken, Keys
from shared.clock import Clock, system_clock
from shared.tokens import digest_of, which

_BODY_KEYS = ("writeKey", "api_key", "token", "$token")
"""What Segment calls it, and PostHog by now, in a browser, and on /engage/."""


_LONGEST = 1024
"""Characters of Basic credentials. What is longer is nobody's key, and is not kept in the cache."""


def _nobody() -> Sequence[AdminToken]:
    return ()


class Admin:
    """Knows admin tokens by their hashes alone: neither a dump of the memory nor the time of an answer shows one."""

    def __init__(
        self,
        token: str | None,
        named: Callable[[], Sequence[AdminToken]] = _nobody,
        clock: Clock = system_clock,
    ) -> None:
        """``token`` None: only those of the keys file count, which ``named`` returns. ``clock``: the machine's."""
        self._own: tuple[AdminToken, ...] = (
            () if token is None else (AdminToken(name="admin", digest=digest_of(token)),)
        )
        self._named = named
        self._clock = clock

    def check(self, headers: Mapping[str, str]) -> str:
        """Return the name of whose token the request carries as a bearer. Raises NotAdminError."""
        now = self._clock()
        known = [one for one in (*self._own, *self._named()) if one.not_after is None or now < one.not_after]
        if not known:
            raise NoAdminError
        found = which(headers, [one.digest for one in known])
        if found is None:
            raise NotAdminError("give the admin token: Authorization: Bearer TOKEN")
        return known[found].name


def header_keys(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys in the headers, in the order in which they count: Basic user, X-Write-Key, Bearer."""
    scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "basic" and len(credentials) <= _LONGEST:
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


def outer_keys(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterator[str]:
    """Yield the keys that are known before the body is read."""
    yield from header_keys(headers)
    yield from query_keys(query)


def authorize(headers: Mapping[str, str], body: object, query: Mapping[str, str], keys: Keys, now: int) -> str:
    """Return the request's write key. Raises UnauthorizedError if it has none, or none that counts ``now``."""
    candidates = [*header_keys(headers), *body_keys(body), *query_keys(query)]
    found = keys.find(candidates, now)
    if found is not None:
        return found
    if candidates:
        raise UnauthorizedError("the write key is not known here")
    raise UnauthorizedError("the request carries no write key", code="missing_write_key")


@lru_cache(maxsize=1024)
def _basic_user(credentials: str) -> str | None:
    """Return the user of Basic credentials. Old clients leave out the colon."""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(":")[0]
