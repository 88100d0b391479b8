"""Recordings for tests: what the oracle decides over a log, written as a live host would have written it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from cli.recording import Recorded, RecordedTopic, Recorder
from shared.journeys.model import Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.topics import INCARNATION_KEY
from tests.oracle import judge

FIRST = LogRecord(0, 0, INCARNATION_KEY, b"\xff\x00 sixteen bytes.")


def a_log(records: Iterable[LogRecord]) -> list[LogRecord]:
    """Return ``records`` behind the first record of a partition."""
    return _numbered([FIRST, *records])


def a_recording(journeys: Sequence[Journey], log: Sequence[LogRecord]) -> dict[RecordedTopic, list[LogRecord]]:
    """Return every topic of one partition as a live host leaves it at rest."""
    verdict = judge(journeys, log)

    def outputs(messages: Iterable[msgspec.Struct]) -> list[LogRecord]:
        return a_log(LogRecord(0, 0, b"u:c1", codec.encode(message)) for message in messages)

    return {
        "journal": outputs(verdict.journal),
        "commands": outputs(verdict.commands),
        "cancels": outputs(verdict.cancels),
        "events": list(log),
    }


def lines_of(recording: dict[RecordedTopic, list[LogRecord]], partition: int = 0) -> list[Recorded]:
    """Return the recording as it is read, the first of its lines being number 2, as in a file."""
    placed = [(topic, record) for topic, records in recording.items() for record in _numbered(records)]
    return [Recorded(line, topic, partition, record) for line, (topic, record) in enumerate(placed, start=2)]


def write(file: Path, recorded: Iterable[Recorded]) -> Path:
    """Write a recording to ``file`` and return it."""
    with file.open("wb") as out:
        recorder = Recorder(out)
        for it in recorded:
            recorder.write(it.topic, it.partition, [it.record])
    return file


def _numbered(records: Sequence[LogRecord]) -> list[LogRecord]:
    """Return ``records`` with offsets without a gap, from the first one's on."""
    begin = records[0].offset if records else 0
    return [msgspec.structs.replace(it, offset=begin + number) for number, it in enumerate(records)]
