"""Whether an event is as its catalogue says, and what is said when it is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.catalogue.model import Catalogue, EventKind
from shared.catalogue.reader import standard
from shared.catalogue.validation import Doubt, Judge, compiled

KETTLE = EventKind(
    properties={
        "litres": "number",
        "colour": {"enum": ["red", "blue"]},
        "boiled_at": "date",
        "parts": {"type": "array", "items": {"type": "string"}},
    },
    required=("litres",),
)
SHOP = Catalogue(
    events={"Kettle Boiled": KETTLE, "Kettle Filled": EventKind()},
    traits={"kettles": "integer"},
    aliases={"Boiled": "Kettle Boiled"},
    mode="warn",
)


def told(properties: dict[str, Any]) -> str | None:
    doubt = Judge(SHOP).doubt_properties("Kettle Boiled", properties)
    assert doubt is None or ("invalid_properties", "warn", "Kettle Boiled") == (doubt.code, doubt.mode, doubt.event)
    return None if doubt is None else doubt.message


@pytest.mark.parametrize(
    "properties",
    [
        {"litres": 1},
        {"litres": 1.5, "boiled_at": "2026-03-02", "parts": ["lid"]},
        {"litres": 1, "boiled_at": "2026-03-02T10:00:00+09:00"},
        {"litres": 1, "boiled_at": None},
        {"litres": 1, "of": {"our": "own"}},
    ],
)
def test_what_is_not_named_may_be_anything_and_null_is_nothing(properties: dict[str, Any]) -> None:
    assert told(properties) is None


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, '"litres" is a required property'),
        ({"litres": None}, "litres: expected number"),
        ({"litres": "s3cret"}, "litres: expected number"),
        ({"litres": 1, "boiled_at": "s3cret"}, "boiled_at: expected date"),
        ({"litres": 1, "boiled_at": "2026-02-30"}, "boiled_at: expected date"),
        ({"litres": 1, "colour": "s3cret"}, 'colour: the value is not one of "red" or "blue"'),
        ({"litres": 1, "parts": ["lid", 5]}, 'parts/1: the value is not of type "string"'),
    ],
)
def test_a_doubt_says_where_and_what_and_never_shows_the_value(properties: dict[str, Any], expected: str) -> None:
    assert expected == told(properties)


def test_a_doubt_tells_five_faults_at_most() -> None:
    kind = EventKind(properties=dict.fromkeys("abcdefg", "number"))
    doubt = Judge(Catalogue(events={"K": kind}, mode="warn")).doubt_properties("K", dict.fromkeys("abcdefg", "x"))
    assert doubt is not None
    assert 5 == len(doubt.message.split("; "))


def test_an_event_that_nobody_knows_is_a_doubt_of_its_own_without_its_name() -> None:
    """The name is the sender's: as a metric's label it would have no bounds."""
    expected = Doubt("unknown_event", "no catalogue knows the event", "warn", "")
    assert expected == Judge(SHOP).doubt_properties("Kettle Broke", {})


def test_what_a_library_sends_of_its_own_accord_is_no_mistake_of_the_site() -> None:
    assert Judge(SHOP.joined(Catalogue(mode="reject"))).doubt_properties("$feature_flag_called", {}) is None


def test_traits_are_those_of_the_whole_catalogue_and_the_mode_is_the_events() -> None:
    named = SHOP.joined(Catalogue(events={"Identified": EventKind(mode="reject")}))
    doubt = Doubt("invalid_traits", "kettles: expected integer", "reject", "Identified")
    assert doubt == Judge(named).doubt_traits("Identified", {"kettles": "two"})
    assert Judge(named).doubt_traits("Identified", {"kettles": 2, "cups": "three"}) is None
    assert Judge(SHOP).doubt_traits("Identified", {"kettles": "two"}) is None


def test_off_asks_nothing_and_an_event_may_be_more_or_less_strict_than_the_rest() -> None:
    quiet = SHOP.joined(Catalogue(mode="off"))
    assert Judge(quiet).doubt_properties("Kettle Boiled", {}) is None
    assert Judge(quiet).doubt_properties("Kettle Broke", {}) is None
    strict = quiet.joined(Catalogue(events={"Kettle Boiled": EventKind(properties={}, mode="reject")}))
    doubt = Judge(strict).doubt_properties("Kettle Boiled", {})
    assert doubt is not None
    assert ("reject", "Kettle Boiled") == (doubt.mode, doubt.event)
    assert Judge(strict).doubt_properties("Kettle Broke", {}) is None


def test_other_names_lead_to_the_own_name() -> None:
    assert ("Kettle Boiled", "Kettle Broke") == (Judge(SHOP).own_name("Boiled"), Judge(SHOP).own_name("Kettle Broke"))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strin"}, "type: the value is not valid under any of"),
        ({"type": "string", "pattern": "("}, 'pattern: the value is not a "regex"'),
        ({"$ref": "#/$defs/nowhere"}, "does not exist"),
        ({"$ref": "http://127.0.0.1:9/schema"}, "a schema may not refer to http://127.0.0.1:9/schema"),
        ({"$ref": "file:///etc/hostname"}, "a schema may not refer to file:///etc/hostname"),
    ],
)
def test_what_is_no_schema_or_points_outside_of_itself_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        compiled(schema)


def test_everybodys_catalogue_can_be_enforced() -> None:
    judge = Judge(standard().joined(Catalogue(mode="reject")))
    order = {"order_id": "o1", "total": 49.5, "currency": "JPY", "products": [{"sku": "k"}], "coupon": None}
    assert judge.doubt_properties("Order Completed", order) is None
    assert judge.doubt_properties("Order Completed", {**order, "total": "49.5"}) is not None
