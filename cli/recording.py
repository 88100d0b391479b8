"""The recorded-log format: what stands in the topics of a live system, one record a line of JSON.

::

    {"schema":"recorded-log/v1"}
    {"topic":"journal","partition":0,"offset":0,"timestamp":1772420400000,"key":"u:c1","value":"…"}

Partition after partition; within each the topics in the order of ``RECORDED``, within each the offsets. ``key`` and
``value`` are the record's own bytes: a text where they are UTF-8, else ``{"base64": "…"}``, or null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal, get_args

import msgspec

from shared.errors import ConfigurationError
from shared.log import LogRecord

SCHEMA = "recorded-log/v1"

RecordedTopic = Literal["journeys", "journal", "commands", "cancels", "events"]
RECORDED: tuple[RecordedTopic, ...] = get_args(RecordedTopic)
"""What was published stands first, in partition 0: it has no other. What was decided comes before the events: so the
cause of each decision of a live system is in the recording, and whoever compares the two holds the decisions of one
partition and no events."""


class _Header(msgspec.Struct, frozen=True):
    schema: str


class _Binary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    base64: bytes


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topic: RecordedTopic
    partition: int
    offset: int
    timestamp: int
    key: str | _Binary | None
    value: str | _Binary | None


class Recorded(msgspec.Struct, frozen=True):
    """One record, and the number of its line in the file."""

    line: int
    topic: RecordedTopic
    partition: int
    record: LogRecord


class Recorder:
    """Writes a recording to ``out``, in the order of the calls."""

    def __init__(self, out: BinaryIO) -> None:
        """Write the header."""
        self.records = 0
        self._out = out
        self._encoder = msgspec.json.Encoder()
        self._write(_Header(SCHEMA))

    def write(self, topic: RecordedTopic, partition: int, records: Iterable[LogRecord]) -> None:
        """Write ``records``, which follow in offset order on those written before."""
        for record in records:
            self.records += 1
            key, value = _shown(record.key), _shown(record.value)
            self._write(_Line(topic, partition, record.offset, record.timestamp, key, value))

    def _write(self, line: msgspec.Struct) -> None:
        self._out.write(self._encoder.encode(line) + b"\n")


def read_recording(name: str, lines: Iterable[bytes]) -> Iterator[Recorded]:
    """Yield the records of a recording, a line at a time. Raises ConfigurationError with ``name`` and line."""
    decoder = msgspec.json.Decoder(_Line)
    last = (-1, 0, 0)
    numbered = enumerate(lines, start=1)
    _read_header(name, next(numbered, (1, b""))[1])
    for number, text in numbered:
        try:
            line = decoder.decode(text)
            record = LogRecord(line.offset, line.timestamp, _bytes(line.key), _bytes(line.value))
        except (msgspec.DecodeError, UnicodeError) as error:
            cut = "" if text.endswith(b"\n") else "; the file is cut short: record it again"
            raise ConfigurationError(f"{name}:{number}: not a record: {error}{cut}") from error
        place = (line.partition, RECORDED.index(line.topic), line.offset)
        if place <= last:
            raise ConfigurationError(
                f"{name}:{number}: out of order: partitions ascend, in each {', '.join(RECORDED)}, in each the offsets"
            )
        last = place
        yield Recorded(number, line.topic, line.partition, record)


def _read_header(name: str, text: bytes) -> None:
    try:
        found = msgspec.json.decode(text, type=_Header).schema
    except (msgspec.DecodeError, UnicodeError):
        found = ""
    if found != SCHEMA:
        raise ConfigurationError(
            f'{name}:1: expected {{"schema": "{SCHEMA}"}}; `kikkake log record` makes such files'
            + (", and `--events` takes calls" if not found else "")
        )


def _shown(value: bytes | None) -> str | _Binary | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _Binary(value)


def _bytes(value: str | _Binary | None) -> bytes | None:
    if isinstance(value, _Binary):
        return value.base64
    return None if value is None else value.encode()
