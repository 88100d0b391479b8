"""Raw bytes → plain data. Believes neither Content-Type nor Content-Encoding, for the clients lie in both."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Generator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
import orjson

from services.ingest.errors import BadBodyError, InvalidEventError, TooLargeError
from services.ingest.limits import STANDARD

_GZIP = b"\x1f\x8b"
_ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
_ANY_WINDOW = 47
"""Read gzip or zlib, whichever the header says."""
_STANDARD = bytes.maketrans(b"-_", b"+/")
_BOM = b"\xef\xbb\xbf"
_FORM = b"data="
_ABSENT = msgspec.Raw()

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

LARGE = 256 * 1024
"""Bytes from which on what is done to a body at once counts."""
_COUNTED = 10_000


class Body(NamedTuple):
    """A request's body as data, and its size as JSON before it was read."""

    value: dict[str, Any] | list[Any]
    size: int


def decode_body(raw: bytes, *, limit: int = STANDARD.body_bytes) -> Body:
    """Return the JSON in ``raw``: plain, gzip, zlib, or any of them as base64 in a form's ``data`` field.

    Raises BadBodyError, or TooLargeError when it is larger than ``limit`` decompressed.
    """
    plain = _inflate(raw, limit)
    if plain.startswith(_FORM):
        field = plain.removeprefix(_FORM).split(b"&", 1)[0].replace(b"+", b" ")
        return decode_data(unquote_to_bytes(field), limit=limit)
    return _decode_json(plain)


def decode_data(value: bytes, *, limit: int = STANDARD.body_bytes) -> Body:
    """Return the JSON in a field ``data`` of a form or a query: as it is, or in base64, then compressed or not.

    Raises as ``decode_body`` does.
    """
    if value.lstrip().startswith((b"{", b"[")):
        return _decode_json(value)
    # Whoever did not escape the base64 has turned each plus into a space; the URL-safe alphabet has none.
    text = value.strip().replace(b" ", b"+").translate(_STANDARD)
    try:
        inner = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadBodyError("the field data is neither JSON nor base64") from error
    return _decode_json(_inflate(inner, limit))


def require_few(raw: bytes, most: int) -> None:
    """Raise TooLargeError when ``raw`` is a list, or has one as its ``batch``, of more than ``most`` items.

    They are counted without being read: two million of them, each ``{}``, would take 150 MB and as many ms. Not looked
    at: what is small, and a source that may send so many that counting is no cheaper.
    """
    if len(raw) <= LARGE or most > _COUNTED:
        return
    batch, bare = _counters(most)
    try:
        items = bare.decode(raw) if raw.startswith(b"[") else batch.decode(raw).batch
    except (msgspec.DecodeError, RecursionError):
        # Not such a body: whoever reads it says so.
        return
    if items.last is not _ABSENT:
        raise TooLargeError(f"the batch has more than {most} events")


@lru_cache(maxsize=16)
def _counters(most: int) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """Return readers of an object with a ``batch``, and of a list, that keep ``most`` items and one more, unread.

    A struct written as a list takes as many items as it has fields and passes over the others.
    """
    fields = [*(f"item{number}" for number in range(most)), "last"]
    items = msgspec.defstruct("_Items", [(name, msgspec.Raw, _ABSENT) for name in fields], array_like=True, gc=False)
    return msgspec.json.Decoder(msgspec.defstruct("_Batch", [("batch", items)])), msgspec.json.Decoder(items)


def _decode_json(plain: bytes) -> Body:
    if not plain.strip():
        raise BadBodyError("the body is empty", code="empty_body")
    value = decode_item(plain.removeprefix(_BOM))
    if not isinstance(value, dict | list):
        raise BadBodyError("the body is not a JSON object")
    return Body(value, len(plain))


def decode_in_pieces(raw: bytes) -> Generator[None, None, Body | None]:
    """Return the JSON in a large ``raw`` as ``decode_body`` does, reading a list, or an object's ``batch``, bit by bit.

    Yields after each 256 kB: whoever has others to see to does it then. None: ``decode_body`` has to look at it. Raises
    BadBodyError.
    """
    fields: dict[str, msgspec.Raw] = {}
    try:
        if not raw.startswith(b"["):
            fields = _FIELDS.decode(raw)
        items = _ITEMS.decode(fields.pop("batch") if fields else raw)
    except (msgspec.DecodeError, RecursionError, KeyError):
        return None
    yield
    value: list[Any] = []
    done = 0
    for item in items:
        value.append(decode_item(bytes(item)))
        done += len(bytes(item))
        if done >= LARGE:
            done = 0
            yield
    if raw.startswith(b"["):
        return Body(value, len(raw))
    return Body({**{name: decode_item(bytes(part)) for name, part in fields.items()}, "batch": value}, len(raw))


def decode_item(raw: bytes) -> object:
    """Return the JSON in ``raw``, a part of a body. Raises BadBodyError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadBodyError("the body is not valid JSON", detail=str(error)) from error


def encoded(value: object) -> bytes:
    """Return ``value`` as compact JSON. Raises InvalidEventError when it is nested too deep to be written."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidEventError("the event is nested too deep to be read", code="too_deep") from error


def _inflate(raw: bytes, limit: int) -> bytes:
    if not raw.startswith((_GZIP, *_ZLIB)):
        if len(raw) > limit:
            raise TooLargeError(f"the body is larger than {limit} bytes")
        return raw
    inflater = zlib.decompressobj(_ANY_WINDOW)
    try:
        plain = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise BadBodyError("the body is not valid gzip or zlib", detail=str(error)) from error
    if len(plain) > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes when decompressed")
    if not inflater.eof:
        raise BadBodyError("the compressed body is cut short")
    return plain
