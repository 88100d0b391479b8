"""Raw bytes → plain data. Believes neither Content-Type nor Content-Encoding, for the clients lie in both."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import orjson

from services.ingest.errors import BadBodyError, TooLargeError

MAX_BODY_BYTES = 5_000_000
"""Of the request as received, and again after decompression: a bomb costs no more memory than this."""

MAX_DEPTH = 32
"""Levels of nesting in an event. Real events have about five; a recursive reader downstream must not be broken."""

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_BOM = b"\xef\xbb\xbf"
_FORM = b"data="

JsonObject = dict[str, object]


class Body(NamedTuple):
    """A request's body as data, and its size as JSON before it was read."""

    value: JsonObject
    size: int


def decode_body(raw: bytes, *, limit: int = MAX_BODY_BYTES) -> Body:
    """Return the JSON object in ``raw``: plain, gzipped, or either of them base64 in a form's ``data`` field.

    Raises BadBodyError, or TooLargeError when it is larger than ``limit`` decompressed.
    """
    plain = _inflate(raw, limit)
    if plain.startswith(_FORM):
        plain = _inflate(_form_data(plain), limit)
    if not plain.strip():
        raise BadBodyError("the body is empty", code="empty_body")
    try:
        value = orjson.loads(plain.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise BadBodyError("the body is not valid JSON", detail=str(error)) from error
    if not isinstance(value, dict):
        raise BadBodyError("the body is not a JSON object")
    return Body(value, len(plain))


def encoded_size(value: object) -> int:
    """Return the bytes of ``value`` as JSON. Raises TooLargeError when it is nested too deep to be written."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError as error:
        raise TooLargeError(f"the event is nested deeper than {MAX_DEPTH} levels", code="too_deep") from error


def is_deeper_than(value: object, levels: int) -> bool:
    """Return whether lists and objects in ``value`` are nested more than ``levels`` deep. Recurses no further."""
    if isinstance(value, dict):
        return levels == 0 or any(is_deeper_than(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_deeper_than(item, levels - 1) for item in value)
    return False


def _inflate(raw: bytes, limit: int) -> bytes:
    if not raw.startswith(_GZIP):
        if len(raw) > limit:
            raise TooLargeError(f"the body is larger than {limit} bytes")
        return raw
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise BadBodyError("the body is not valid gzip", detail=str(error)) from error
    if len(plain) > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes when decompressed")
    if not inflater.eof:
        raise BadBodyError("the gzip body is cut short")
    return plain


def _form_data(form: bytes) -> bytes:
    """Return the bytes of the form field ``data``, which is JSON or base64."""
    field = form.removeprefix(_FORM).split(b"&", 1)[0].replace(b"+", b" ")
    value = unquote_to_bytes(field)
    if value.lstrip().startswith(b"{"):
        return value
    try:
        # A form that did not escape its base64 has turned each plus into a space.
        return base64.b64decode(value.replace(b" ", b"+"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadBodyError("the form field data is neither JSON nor base64") from error
