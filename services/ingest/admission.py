"""Decides who may send, before anything of a request is accepted: the key, the page's origin, the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Scope

from services.ingest.auth import authorize, outer_keys
from services.ingest.client_address import AddressPolicy, ClientAddress, ForwardedHeader, Network, client_of
from services.ingest.errors import ForbiddenError, RateLimitedError, UnauthorizedError
from services.ingest.keys import KeyRing, Keys, Source
from services.ingest.plan import Sender
from services.ingest.rates import charge, wait
from shared.clock import Clock

_FIRST = {"x-retry-count": ("", "0"), "posthog-attempt": ("", "1")}
"""The headers in which Segment's and PostHog's libraries count attempts, and what they say at the first."""


_NO_QUERY: Mapping[str, str] = {}


class AddressRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which proxies are believed about the client's address, and what is kept of it."""

    trusted: Sequence[Network] = ()
    header: ForwardedHeader = "x-forwarded-for"
    policy: AddressPolicy = "truncate"


class Outer(msgspec.Struct, frozen=True):
    """What is known of a request before its body. ``peer`` is the other end of the connection.

    ``from_device``: the contact's own device sent it, as a page does, whatever its source is.
    """

    headers: Mapping[str, str]
    query: Mapping[str, str]
    peer: str | None
    from_device: bool = False


class Admission:
    """Knows the keys of the moment, and when each source's bucket will be full again.

    The rates are this process's own: of two replicas, each lets a source send as fast as the file says.
    """

    def __init__(self, ring: KeyRing, addresses: AddressRule, *, clock: Clock, ticks: Clock) -> None:
        """``clock``: the machine's wall clock, for the validity of keys. ``ticks``: a monotonic one, for rates."""
        self._ring = ring
        self._addresses = addresses
        self._clock = clock
        self._ticks = ticks
        self._full_at: dict[str, float] = {}

    @property
    def keys(self) -> Keys:
        """The keys of the moment."""
        return self._ring.keys

    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """Return the key of a request without a body. Raises UnauthorizedError."""
        return authorize(headers, None, query, self.keys, self._clock())

    def counts(self, key: str) -> bool:
        """Return whether ``key`` counts now."""
        found = self.keys.write_keys.get(key)
        return found is not None and found.counts(self._clock())

    def early(self, request: Outer) -> Sender | None:
        """Return whose request it is, if that is known before its body is read. Raises as ``late`` does."""
        try:
            key = self.keys.find(outer_keys(request.headers, request.query), self._clock())
        except UnauthorizedError:
            # The body may hold one that counts.
            return None
        return None if key is None else self._admit(key, request)

    def late(self, request: Outer, body: object) -> Sender:
        """Return whose request it is. Raises UnauthorizedError, ForbiddenError or RateLimitedError."""
        return self._admit(authorize(request.headers, body, request.query, self.keys, self._clock()), request)

    def settle(self, source: Source, events: int) -> None:
        """Charge ``source`` for the events of a request, the first of which it has paid for when it was let in."""
        if source.rate is not None and events > 1:
            full_at = self._full_at.get(source.name, 0.0)
            self._full_at[source.name] = charge(full_at, source.rate, events - 1, self._ticks())

    def _admit(self, key: str, request: Outer) -> Sender:
        source = self.keys.write_keys[key].source
        origin = request.headers.get("origin")
        if source.origins is not None and origin is not None and not source.origins.allow(origin):
            raise ForbiddenError("pages of this origin may not use the write key", code="origin_not_allowed")
        if source.rate is not None:
            now, full_at = self._ticks(), self._full_at.get(source.name, 0.0)
            delay = wait(full_at, source.rate, now)
            if delay > 0:
                raise RateLimitedError(delay)
            self._full_at[source.name] = charge(full_at, source.rate, 1, now)
        return Sender(source=source, client=self._client(source, request))

    def _client(self, source: Source, request: Outer) -> ClientAddress:
        rule = self._addresses
        address = None
        if rule.policy != "drop":
            address = client_of(request.peer, request.headers, trusted=rule.trusted, header=rule.header)
        fill = source.side == "client" or request.from_device
        return ClientAddress(address=address, fill=fill, policy=rule.policy)


def outer_of(scope: Scope, *, pixel: bool = False) -> Outer:
    """Return what is known of a request before its body."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = str(raw_name, "latin-1"), str(raw_value, "latin-1")
        # One that comes more than once is a list (RFC 9110), as proxies write X-Forwarded-For.
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = QueryParams(scope["query_string"]) if scope["query_string"] else _NO_QUERY
    client = scope["client"]
    return Outer(headers, query, client[0] if client else None, pixel or "origin" in headers)


def is_retry(headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
    """Return whether the client says that it has sent this request before. Those that do not say count as first."""
    if query and query.get("retry_count", "0") != "0":
        return True
    return any(name in headers and headers[name] not in first for name, first in _FIRST.items())
