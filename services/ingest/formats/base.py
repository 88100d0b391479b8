"""What every format is made of: a request as data, and a route as a row of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from services.ingest.body import Body, decode_body
from services.ingest.calls import Calls
from services.ingest.errors import BadBodyError, RateLimitedError
from services.ingest.plan import Plan

OK = b'{"success": true}'
GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
"""One transparent dot."""


class Arrived(NamedTuple):
    """A request as data. ``body`` is JSON; {} where the request has none. Headers are looked up in small letters."""

    body: object
    headers: Mapping[str, str]
    query: Mapping[str, str]


def success(_arrived: Arrived, plan: Plan) -> bytes:
    """Return the answer of most formats: success, and what was refused of a batch by its place."""
    if not plan.rejections:
        return OK
    return msgspec.json.encode({"success": True, "errors": plan.rejections})


Decode = Callable[[bytes, Mapping[str, str], int], Body]
"""Reads a request's JSON from the bytes of its body and its query; it may have so many bytes, once inflated."""


def from_body(raw: bytes, _query: Mapping[str, str], limit: int) -> Body:
    """Return the request's body as data. Raises BadBodyError and TooLargeError."""
    return decode_body(raw, limit=limit)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One way in.

    ``format``: whose it is, as in metrics and docs. ``paths``: the first is its name, the others are the same.
    ``read``: the request's calls; raises IngestError when it cannot be taken as a whole. ``decode``: where its JSON is.
    ``unread``: the same calls from the bytes of the body, None when they have to be decoded; with it ``answer`` looks
    at the plan alone. ``answer``: the body of a 200. ``too_fast``: how a sender beyond its rate is refused. ``pixel``:
    a browser shows the answer, so it is a GIF, of a refusal too. ``schema``: the JSON Schema of its body,
    ``answer_schema`` of an answer that is not the usual, ``parameters`` the names in its query: for the API's
    description; ``about`` says in a line what it is.
    """

    format: str
    paths: tuple[str, ...]
    read: Callable[[Arrived], Calls]
    about: str
    methods: tuple[str, ...] = ("POST",)
    decode: Decode = from_body
    unread: Callable[[bytes], Calls | None] | None = None
    answer: Callable[[Arrived, Plan], bytes] = success
    too_fast: type[RateLimitedError] = RateLimitedError
    pixel: bool = False
    schema: dict[str, Any] | None = None
    answer_schema: dict[str, Any] | None = None
    parameters: tuple[str, ...] = ()


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a library asks for before it sends. Answered from memory, counted and limited by nothing.

    With ``{key}`` in the path that key must be known here; otherwise the request's own, if ``keyed``. ``answer``
    returns the body for that key (for "" if not keyed).
    """

    format: str
    paths: tuple[str, ...]
    answer: Callable[[str], bytes]
    about: str
    methods: tuple[str, ...] = ("GET",)
    media_type: str = "application/json"
    keyed: bool = True


def object_of(arrived: Arrived) -> dict[str, Any]:
    """Return the body as a JSON object. Raises BadBodyError when it is none."""
    if not isinstance(arrived.body, dict):
        raise BadBodyError("the body is not a JSON object")
    return arrived.body


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a flat struct, without references."""
    schema: dict[str, Any] = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return schema


def batch_schema(item: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Return the JSON Schema of a ``batch`` of ``item``, with text ``fields`` beside it."""
    properties: dict[str, Any] = {"batch": {"type": "array", "items": item}}
    properties |= {field: {"type": "string"} for field in fields}
    return {"type": "object", "required": ["batch"], "properties": properties}
