"""What every webhook is made of. Whoever adds one (a provider's feedback, say) makes a ``Hook`` and names it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from services.ingest.body import Body, decode_body
from services.ingest.errors import BadBodyError, UnauthorizedError
from services.ingest.keys import Source
from services.ingest.limits import Limits
from services.ingest.webhooks.signing import Credentials

LIMITS = Limits(body_bytes=1024 * 1024, event_bytes=512 * 1024, string_length=64 * 1024, properties=10_000)
"""An order with a hundred lines is longer than any event that a page sends."""
_JSON = (b"{", b"[", b"\x1f\x8b", b"\xef\xbb\xbf")
_MOST_FIELDS = 1_000


class Posted(NamedTuple):
    """A webhook as data. Headers are looked up in small letters."""

    body: Any
    headers: Mapping[str, str]
    query: Mapping[str, str]


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """One source of webhooks: its ``name`` in the address, how it proves itself, and what its requests say.

    ``read`` returns the calls that a request makes, none for one that is of no interest; raises InvalidEventError.
    ``prepare`` gets what it takes to tell whether a request is genuine; ``parse`` reads a body that is neither JSON
    nor a form, at most so many bytes of it. ``answer``: what whoever asks is told when all is well, with its type;
    None: as every client. ``nothing`` is the reason under which a request is counted of which it makes no call; empty:
    that is nothing to be told of.
    """

    name: str
    credentials: Credentials
    read: Callable[[Posted], Sequence[Mapping[str, Any]]]
    prepare: Callable[[bytes], Awaitable[None]] | None = None
    parse: Callable[[bytes, int], Body] | None = None
    answer: tuple[bytes, str] | None = None
    nothing: str = ""

    @property
    def source(self) -> Source:
        """The source under which its events are counted and bounded."""
        return Source(name=f"webhook_{self.name}", limits=LIMITS)

    def admit(self, raw: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Return if the request may be believed. Raises UnauthorizedError."""
        if not self.credentials.admits(raw, headers, query):
            raise UnauthorizedError(
                "the signature or token of the webhook is missing or wrong", code="invalid_signature"
            )

    def decode(self, raw: bytes, most: int) -> Body:
        """Return the body. Raises BadBodyError, TooLargeError."""
        if self.parse is not None:
            return self.parse(raw, most)
        return decode_body(raw, limit=most) if raw.lstrip().startswith(_JSON) else _form(raw)


def _form(raw: bytes) -> Body:
    """Return the fields of an HTML form; one that comes more than once is a list."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadBodyError("the body is neither JSON nor the fields of a form", code="invalid_body") from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return Body(found, len(raw))
