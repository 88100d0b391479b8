"""Message to bytes and back: the only place that knows how records look on the wire.

A record's value is two header bytes, an encryption key id (none so far) and JSON::

    byte 0        schema version, now 1
    byte 1        length n of the encryption key id; 0: the body is plain
    bytes 2..n+1  the key id
    the rest      the body: one JSON object with its ``kind``
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from shared.errors import BadMessageError
from shared.messages.command import CancelRecord, CommandRecord
from shared.messages.dead_letter import DeadLetter
from shared.messages.delivery import Delivery
from shared.messages.event import EventRecord
from shared.messages.journal import JournalRecord
from shared.messages.journeys import JourneyRecord

SCHEMA_VERSION = 1
_HEADER = bytes([SCHEMA_VERSION, 0])
_ENCODER = msgspec.json.Encoder()

T = TypeVar("T")


def encode(message: msgspec.Struct) -> bytes:
    """Return the record value of ``message``."""
    return _HEADER + _ENCODER.encode(message)


def encode_into(message: msgspec.Struct, buffer: bytearray) -> None:
    """Write the record value of ``message`` into ``buffer``, replacing what it holds."""
    buffer[:] = _HEADER
    _ENCODER.encode_into(message, buffer, len(_HEADER))


class Decoder(Generic[T]):
    """Reads one topic's records."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def decode(self, value: bytes | None) -> T:
        """Return the message in ``value``. Raises BadMessageError, which says what is wrong with it."""
        if value is None or len(value) < len(_HEADER):
            raise BadMessageError("the record is empty")
        if value[0] != SCHEMA_VERSION:
            raise BadMessageError(f"schema version {value[0]} is not known; this release reads {SCHEMA_VERSION}")
        if value[1]:
            raise BadMessageError("the record is encrypted and this release holds no keys")
        try:
            return self._decoder.decode(memoryview(value)[2:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadMessageError(str(error)) from error


EVENTS: Decoder[EventRecord] = Decoder(EventRecord)
COMMANDS: Decoder[CommandRecord] = Decoder(CommandRecord)
CANCELS: Decoder[CancelRecord] = Decoder(CancelRecord)
DELIVERIES: Decoder[Delivery] = Decoder(Delivery)
JOURNAL: Decoder[JournalRecord] = Decoder(JournalRecord)
JOURNEYS: Decoder[JourneyRecord] = Decoder(JourneyRecord)
DEAD_LETTERS: Decoder[DeadLetter] = Decoder(DeadLetter)
