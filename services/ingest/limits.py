"""How much one request may be: in bytes, events, levels, characters and properties. Pure."""

from __future__ import annotations

import msgspec

from services.ingest.errors import InvalidEventError

_LEAST_MEMBER = len('"":1,')
"""Bytes of JSON that a member of an object takes at least."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of one source. Sizes are of the JSON, after decompression; a string's length is in characters."""

    # Of the request as received, and again of what a gzip inflates to. Above what any library sends at once, for they
    # drop what gets a 413: PostHog's in Python fills a batch to 5 MiB and one event of 900 KiB, RudderStack's servers
    # take 4,000 KB, Segment's libraries end a batch at 500 KiB.
    body_bytes: int = 8 * 1024 * 1024
    # With what is beside the events written into each of them, as it will be in the log.
    batch_bytes: int = 8 * 1024 * 1024
    batch_events: int = 2_500
    event_bytes: int = 32 * 1024
    # Real events have about five levels; a recursive reader downstream must not be broken.
    depth: int = 32
    # Longer than any address line a browser sends; a text of this length is a document, not a property.
    string_length: int = 16 * 1024
    # Members of all objects in the event together.
    properties: int = 1_000

    @property
    def surely_small(self) -> int:
        """Bytes of JSON that hold neither too many members nor too long a string, whatever they are."""
        return min(self.string_length, self.properties * _LEAST_MEMBER)


STANDARD = Limits()
"""What holds where nobody said otherwise."""

HIGHEST = Limits(
    # Twice as much is in flight while such a body is decoded: two of them at once by the standard of the gate.
    body_bytes=16 * 1024 * 1024,
    batch_bytes=16 * 1024 * 1024,
    batch_events=100_000,
    # The log's own limit of a record.
    event_bytes=1024 * 1024,
    # The writer of JSON goes to 254, and what is behind it must still read it.
    depth=200,
    string_length=1024 * 1024,
    properties=100_000,
)
"""What nobody may go beyond, for something behind would break."""


def check_shape(event: object, encoded: bytes, limits: Limits = STANDARD) -> None:
    """Raise InvalidEventError when ``event`` is nested too deep, has too many members or too long a string.

    ``encoded`` is the same as compact JSON: how long that is and how many brackets it has settle it for almost every
    event, without a walk through it.
    """
    if len(encoded) > limits.surely_small or encoded.count(b"{") + encoded.count(b"[") > limits.depth:
        _Walk(limits).into(event, 0)


class _Walk:
    """One walk through an event. Recurses no deeper than the limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._members = 0

    def into(self, value: object, level: int) -> None:
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, dict):
            self._enter(level)
            self._members += len(value)
            if self._members > self._limits.properties:
                raise InvalidEventError(
                    f"the event has more than {self._limits.properties} properties", code="too_many_properties"
                )
            for name, item in value.items():
                self._text(name)
                self.into(item, level + 1)
        elif isinstance(value, list):
            self._enter(level)
            for item in value:
                self.into(item, level + 1)

    def _enter(self, level: int) -> None:
        if level >= self._limits.depth:
            raise InvalidEventError(f"the event is nested deeper than {self._limits.depth} levels", code="too_deep")

    def _text(self, text: str) -> None:
        if len(text) > self._limits.string_length:
            raise InvalidEventError(
                f"a text of the event is longer than {self._limits.string_length} characters", code="string_too_long"
            )
