"""Recorded calls: what a line becomes, and what is said of one that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.simulator.calls import read_calls, screen_of
from cli.simulator.engine import Arrival
from services.ingest.screening import load_standards
from shared.journeys.faults import Fault
from shared.messages.event import Event
from tests.builders import at, lined

TRACK = {"type": "track", "userId": "c1", "event": "Began", "timestamp": "2026-03-02T09:00:00Z"}


def read(*calls: Any) -> tuple[list[Arrival], list[str]]:
    faults: list[Fault] = []
    lines = [call if isinstance(call, bytes) else json.dumps(call).encode() for call in calls]
    return list(read_calls("day.ndjson", lines, faults)), [lined(fault) for fault in faults]


def test_it_arrives_when_it_was_received_else_when_it_happened() -> None:
    found, faults = read(TRACK, {**TRACK, "receivedAt": "2026-03-02T11:00:00+01:00"})
    assert [] == faults
    assert [at("09:00"), at("10:00")] == [arrival.at for arrival in found]
    assert [at("09:00"), at("09:00")] == [arrival.event.timestamp for arrival in found]
    assert ["u:c1", "u:c1"] == [arrival.key for arrival in found]


def test_a_recorded_timestamp_is_taken_as_said() -> None:
    """It was corrected when it was recorded."""
    [found], _ = read({**TRACK, "sentAt": "2026-03-02T08:00:00Z", "originalTimestamp": "2026-03-02T07:00:00Z"})
    assert at("09:00") == found.event.timestamp


def test_two_calls_without_an_id_are_two_events_and_always_the_same_two() -> None:
    first, _ = read(TRACK, TRACK)
    assert 2 == len({arrival.event.message_id for arrival in first})
    assert first == read(TRACK, TRACK)[0]


@pytest.mark.parametrize("place", ["top", "properties"])
def test_consent_is_a_call(place: str) -> None:
    said = {"topic": "offers", "status": "revoked"}
    call = {**TRACK, "type": "consent", **(said if place == "top" else {"properties": said})}
    [found], faults = read(call)
    assert [] == faults
    assert isinstance(found.event, Event)
    assert ("consent", "Consent Revoked") == (found.event.type, found.event.name)
    assert {"topic": "offers", "status": "revoked", "channel": None} == found.event.properties


def test_empty_lines_and_a_byte_order_mark_are_nothing() -> None:
    found, faults = read(b"\xef\xbb\xbf" + json.dumps(TRACK).encode() + b"\r\n", b"\n", b"  \r\n")
    assert (1, []) == (len(found), faults)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON: Input data was truncated"),
        (b'{"a": "\xff"}', "not JSON: "),
        (b"[1]", "not a call: a line is an object"),
        (b"[" * 5000, "not JSON: "),
        ({}, "`timestamp` is missing, and so is `receivedAt`"),
        ({**TRACK, "timestamp": "soon"}, "`timestamp`: `soon` is not an ISO 8601 time"),
        ({**TRACK, "receivedAt": True}, "`receivedAt`: `True` is not an ISO 8601 time"),
        ({**TRACK, "receivedAt": "9999-01-01T00:00:00Z"}, "it arrives before 1970 or after 8999"),
        ({**TRACK, "receivedAt": 1e400}, "not JSON: "),
        ({**TRACK, "type": "trak"}, "type is identify, track, page, screen, group, alias or consent"),
        ({**TRACK, "userId": None}, "neither userId nor anonymousId says whose event it is"),
        ({**TRACK, "properties": 5}, "a field has the wrong type: Expected `object | null`, got `int`"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:20],
)
def test_a_line_that_is_no_call_is_named_and_the_others_are_read(line: Any, message: str) -> None:
    found, faults = read(TRACK, line, TRACK)
    assert 2 == len(found)
    [fault] = faults
    assert fault.startswith(f"day.ndjson:2: {message}")


def test_events_are_held_to_the_catalogue_and_the_workspace_of_the_folder(tmp_path: Path) -> None:
    """As at ingest: a name of another tool, an event that is refused, one that nobody has consented to."""
    (tmp_path / "catalogue.yaml").write_text(
        "schema: catalogue/v1\nmode: reject\n"
        "events: {Kettle Boiled: {aliases: [Boiled], properties: {litres: number}}}\n"
    )
    (tmp_path / "workspace.yaml").write_text("schema: workspace/v1\ntracking: {category: marketing}\n")
    untracked = {"context": {"consent": {"categoryPreferences": {"marketing": False}}}}
    calls = [
        {**TRACK, "event": "Boiled"},
        {**TRACK, "event": "Kettle Boiled", "properties": {"litres": "two"}},
        {**TRACK, "event": "Boiled", **untracked},
    ]
    faults: list[Fault] = []
    lines = [json.dumps(call).encode() for call in calls]
    found = list(read_calls("day.ndjson", lines, faults, screen_of(load_standards(tmp_path))))
    assert ["Kettle Boiled"] == [arrival.event.name for arrival in found if isinstance(arrival.event, Event)]
    assert ["day.ndjson:2: Kettle Boiled: litres: expected number"] == [lined(fault) for fault in faults]


def test_a_line_may_say_that_it_is_history() -> None:
    found, _ = read({**TRACK, "historical": True}, {**TRACK, "historical": "yes"}, TRACK)
    assert [True, False, False] == [arrival.event.historical for arrival in found if isinstance(arrival.event, Event)]
