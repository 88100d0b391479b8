"""The form by which contacts choose what they are sent: its fields. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from services.ingest.errors import BadBodyError

ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""The field that mail programs post when their reader unsubscribes (RFC 8058)."""
PAGE = "page"
"""The field by which the page's own forms are told from a mail program."""
ALL = "all"
"""The field that revokes every topic: what is granted is chosen by name."""
TOPIC = "topic."
"""What stands before the name of a topic in the name of its field."""
STATUSES = ("granted", "revoked")
BODY_BYTES = 16 * 1024
_MOST_FIELDS = 200


def fields_of(raw: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a posted form, of either kind that RFC 8058 allows. Raises BadBodyError."""
    if content_type.strip().lower().startswith("multipart/form-data"):
        return _multipart(raw, content_type)
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise BadBodyError("the body is no form", code="invalid_body") from error


def choices_of(fields: Mapping[str, str], topics: Collection[str], topic: str) -> dict[str, str]:
    """Return the status that ``fields`` choose, by topic; ``topic`` is the link's own, one of ``topics`` or none ("").

    Raises BadBodyError where they choose nothing.
    """
    name, value = ONE_CLICK
    if fields.get(name) == value and topic:
        return {topic: "revoked"}
    if fields.get(ALL) == "revoked":
        return dict.fromkeys(topics, "revoked")
    chosen = {one: fields.get(TOPIC + one, "") for one in topics}
    found = {one: status for one, status in chosen.items() if status in STATUSES}
    if not found:
        raise BadBodyError("the form chooses nothing", code="invalid_body")
    return found


def _multipart(raw: bytes, content_type: str) -> dict[str, str]:
    if "\r" in content_type or "\n" in content_type:
        raise BadBodyError("the body is no form", code="invalid_body")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    try:
        message = BytesParser(policy=HTTP).parsebytes(head + raw)
    except RecursionError as error:  # forms within forms
        raise BadBodyError("the body is no form", code="invalid_body") from error
    found: dict[str, str] = {}
    for part in list(message.iter_parts())[:_MOST_FIELDS]:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            found[name] = content.decode("utf-8", "replace").strip()
    return found
