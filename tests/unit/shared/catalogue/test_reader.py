"""A catalogue: how it is read, what is wrong with one, and what everybody's holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.evaluator.core.addresses import ADDRESS_TRAITS
from services.ingest.schemas import CONSENT_NAMES, FIXED_NAMES
from shared.catalogue.model import Catalogue, EventKind
from shared.catalogue.reader import load_catalogue, parse_catalogue, standard
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.messages.outcome import EVENT_NAMES
from tests.builders import lined

SHOP = """\
schema: catalogue/v1
events:
  Kettle Boiled:
    description: The smart kettle says so
    properties: {litres: number, colour: {type: string, enum: [red, blue]}}
    aliases: [Boiled]
  Kettle Filled:
traits: {first_name: string, kettles: {type: array, items: {type: string}}}
"""


def faults(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as error:
        parse_catalogue("catalogue.yaml", text)
    return [lined(fault) for fault in error.value.faults]


def test_events_have_properties_or_any_and_types_may_be_a_json_schema() -> None:
    assert Catalogue(
        events={
            "Kettle Boiled": EventKind(
                description="The smart kettle says so",
                properties={"litres": "number", "colour": {"type": "string", "enum": ["red", "blue"]}},
            ),
            "Kettle Filled": EventKind(properties=None),
        },
        traits={"first_name": "string", "kettles": {"type": "array", "items": {"type": "string"}}},
        aliases={"Boiled": "Kettle Boiled"},
    ) == parse_catalogue("catalogue.yaml", SHOP)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema: catalogue/v1\n", "", ["1: `schema` is missing"]),
        ("catalogue/v1", "catalogue/v2", ["1: unknown schema `catalogue/v2`; did you mean `catalogue/v1`?"]),
        ("events:", "event:", ["2: unknown key `event`; did you mean `events`?"]),
        ("properties:", "propertys:", ["5: unknown key `propertys`; did you mean `properties`?"]),
        ("litres: number", "litres: numbr", ["5: unknown type `numbr`; did you mean `number`?"]),
        ("[Boiled]", "Boiled", ["6: expected a list, not `Boiled`"]),
        ("schema: catalogue/v1", "schema: catalogue/v1\nmode: of", [
            "2: unknown mode `of`; did you mean `off`?",
        ]),
        ("type: array", "type: arry", [
            "8: no JSON Schema: type: the value is not valid under any of the schemas listed in the 'anyOf' keyword",
        ]),
        ("first_name: string", "first_name: 5", [
            "8: expected type: one of string, number, integer, boolean, date, array, object",
        ]),
    ],
)  # fmt: skip
def test_a_fault_says_its_line_and_what_to_do(old: str, new: str, expected: list[str]) -> None:
    assert [f"catalogue.yaml:{fault}" for fault in expected] == faults(SHOP.replace(old, new, 1))


def test_of_an_event_in_two_catalogues_both_know_the_properties() -> None:
    ours = Catalogue(events={"A": EventKind(properties={"x": "string"})}, aliases={"B": "A"})
    theirs = Catalogue(events={"A": EventKind(properties={"y": "number"}), "B": EventKind()})
    assert Catalogue(
        events={"A": EventKind(properties={"x": "string", "y": "number"}), "B": EventKind()}, aliases={}
    ) == ours.joined(theirs)


def test_a_mode_and_what_is_required_are_read_and_joined() -> None:
    text = SHOP.replace("events:", "mode: warn\nevents:", 1)
    text = text.replace("    aliases:", "    mode: reject\n    required: [litres]\n    aliases:")
    read = parse_catalogue("catalogue.yaml", text)
    assert ("warn", "reject", ("litres",)) == (
        read.mode,
        read.events["Kettle Boiled"].mode,
        read.events["Kettle Boiled"].required,
    )
    again = read.joined(Catalogue(events={"Kettle Boiled": EventKind(properties={}, required=("litres", "colour"))}))
    assert ("warn", "reject", ("litres", "colour")) == (
        again.mode,
        again.events["Kettle Boiled"].mode,
        again.events["Kettle Boiled"].required,
    )


def test_a_folders_catalogue_is_its_file_and_those_below_catalogue(tmp_path: Path) -> None:
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nevents: {Kettle Boiled: }\n")
    (tmp_path / "catalogue" / "crm").mkdir(parents=True)
    (tmp_path / "catalogue" / "crm" / "leads.yaml").write_text("schema: catalogue/v1\nevents: {Lead Lost: }\n")
    faults: list[Fault] = []
    found = load_catalogue(tmp_path, faults)
    assert ([], set()) == (faults, {"Kettle Boiled", "Lead Lost", "Order Completed"} - found.events.keys())
    (tmp_path / "catalogue" / "crm" / "leads.yaml").write_text("schema: catalogue/v1\nevent: {}\n")
    assert {"Kettle Boiled"} <= load_catalogue(tmp_path, faults).events.keys()
    assert [f"{tmp_path}/catalogue/crm/leads.yaml:2: unknown key `event`; did you mean `events`?"] == [
        lined(fault) for fault in faults
    ]


def test_everybodys_catalogue_knows_what_the_product_makes_and_reads() -> None:
    names = {*FIXED_NAMES.values(), *CONSENT_NAMES.values(), *EVENT_NAMES.values()}
    assert set() == names - standard().events.keys()
    traits = {trait for asked in ADDRESS_TRAITS.values() for trait in asked}
    assert set() == {*traits, "timezone", "locale", "tags"} - standard().traits.keys()


@pytest.mark.parametrize(
    ("older", "name"),
    [("Completed Order", "Order Completed"), ("Added Product", "Product Added"), ("Email Opened", "Message Opened")],
)
def test_older_names_lead_to_the_name(older: str, name: str) -> None:
    assert name == standard().aliases[older]
    assert name in standard().events
