"""A call in the query of an image's address, for mails and pages without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.body import Body, decode_data, encoded
from services.ingest.errors import BadBodyError, InvalidEventError
from services.ingest.limits import STANDARD


def from_query(_raw: bytes, query: Mapping[str, str], limit: int) -> Body:
    """Return the call in ``query``: the JSON object in ``data``, if there is one, and over it the other fields.

    A dot in a field's name leads into an object: ``properties.price``. All such values are texts. Raises BadBodyError,
    InvalidEventError and TooLargeError.
    """
    data = query.get("data")
    call = decode_data(data.encode(), limit=limit).value if data else {}
    if not isinstance(call, dict):
        raise BadBodyError("data is not a JSON object")
    for name, value in query.items():
        if name not in ("data", "writeKey"):
            _put(call, name.split("."), value)
    return Body(call, len(encoded(call)))


def _put(call: dict[str, Any], path: list[str], value: str) -> None:
    if len(path) > STANDARD.depth:
        raise InvalidEventError(f"the event is nested deeper than {STANDARD.depth} levels", code="too_deep")
    for part in path[:-1]:
        inner = call.get(part)
        if not isinstance(inner, dict):
            inner = call[part] = {}
        call = inner
    call[path[-1]] = value
