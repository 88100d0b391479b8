"""A row to a call: columns, types, what a call needs, and the messageId of its line."""

from __future__ import annotations

from typing import Any

import pytest

from cli.importing.lines import Fault, Line
from cli.importing.mapping import MappingError, Reading, read_columns

WHEN = "2025-01-02T10:00:00Z"


def call(row: dict[str, Any], *wishes: str, number: int = 2, **options: Any) -> Any:
    reading = Reading(**{"file": "orders.csv", "csv": True, "columns": read_columns(wishes), **options})
    found = reading.call_of(Line(number, repr(row), row))
    if isinstance(found, Fault):
        return found.code
    return {name: value for name, value in found.items() if name != "messageId"}


def message_id(reading: Reading, line: Line) -> str:
    found = reading.call_of(line)
    assert isinstance(found, dict)
    return str(found["messageId"])


def test_columns_are_fields_by_name_or_by_wish_and_the_rest_are_properties() -> None:
    row = {"customer": "c1", "timestamp": WHEN, "properties.total": "5", "note": "x", "empty": ""}
    assert {
        "type": "track",
        "event": "Order Completed",
        "userId": "c1",
        "timestamp": WHEN,
        "properties": {"total": "5", "note": "x"},
    } == call(row, "userId=customer", event="Order Completed")


def test_the_rest_of_an_identify_call_are_traits() -> None:
    row = {"userId": "c1", "timestamp": WHEN, "city": "Kyoto"}
    assert {"city": "Kyoto"} == call(row, event_type="identify")["traits"]
    assert {"city": "Kyoto"} == call({**row, "type": "identify"})["traits"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "5", 5),
        ("number", "-5.5", -5.5),
        ("number", "1e3", 1000.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("json", '["a", 1]', ["a", 1]),
        ("text", "007", "007"),
    ],
)
def test_a_cell_is_a_text_unless_a_type_is_named(kind: str, text: str, value: Any) -> None:
    found = call({"x": text, "timestamp": WHEN}, f"properties.x:{kind}=x")["properties"]["x"]
    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize(
    ("kind", "text"), [("number", "five"), ("number", "nan"), ("number", "inf"), ("boolean", "ja"), ("json", "{")]
)
def test_a_cell_of_another_type_is_refused(kind: str, text: str) -> None:
    assert "invalid_cell" == call({"x": text, "timestamp": WHEN}, f"properties.x:{kind}=x")


@pytest.mark.parametrize(
    "wish", ["userId", "userId=", "user=c", "properties=c", "properties.=c", "traits.a:float=c", "=c", ""]
)
def test_a_wish_that_cannot_be_read_is_refused(wish: str) -> None:
    with pytest.raises(MappingError):
        read_columns((wish,))


def test_a_column_goes_to_one_place() -> None:
    with pytest.raises(MappingError, match="named twice"):
        read_columns(("userId=c", "anonymousId=c"))


def test_history_says_when_it_happened() -> None:
    assert "no_timestamp" == call({"userId": "c1"})
    assert "no_timestamp" == call({"userId": "c1", "timestamp": ""})
    assert {"type": "track", "userId": "c1"} == call({"userId": "c1"}, timed=False)
    assert "track" == call({"userId": "c1", "originalTimestamp": WHEN})["type"]


def test_a_messageid_is_of_the_file_the_line_and_what_it_says() -> None:
    reading = Reading(file="a.ndjson")
    line = Line(5, '{"x": 1}\n', {"timestamp": WHEN})
    known = message_id(reading, line)
    assert known == message_id(reading, line._replace(raw='{"x": 1}'))
    others = [
        message_id(Reading(file="b.ndjson"), line),
        message_id(reading, line._replace(number=6)),
        message_id(reading, line._replace(raw='{"x": 2}\n')),
    ]
    assert 4 == len({known, *others})
    assert "m1" == message_id(reading, line._replace(row={"timestamp": WHEN, "messageId": "m1"}))


def test_a_line_that_is_none_stays_why() -> None:
    fault = Fault("invalid_json", "no JSON")
    assert fault == Reading(file="a").call_of(Line(1, "", fault))
