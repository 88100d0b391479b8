"""A struct becomes the mapping that it is written as; what nobody has said is not guessed."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from shared.journeys.predicate import Condition, Expression
from shared.journeys.schema.builder import Builder
from shared.journeys.schema.forms import LONGER
from shared.journeys.schema.wording import Word, Wording, needs, word

TEXT = {"$ref": "#/$defs/text"}


class Nap(msgspec.Struct, frozen=True, kw_only=True):
    """Sleep for ``duration`` ms (None: for ever). ``mood`` says how; ``place``: where.

    ``place`` is kept.
    """

    duration: int | None = None
    place: str
    mood: Literal["light", "deep"] = "light"


class Days(msgspec.Struct, frozen=True):
    """Naps."""

    naps: tuple[Nap, ...]
    where: Condition | None = None
    context: dict[str, Expression] = {}
    mean: bool = False
    shares: float = 1.0


def test_names_types_defaults_and_docstrings_make_the_schema() -> None:
    built = Builder({Nap: Wording(words={"duration": word("for", LONGER)}, rules=needs(mood="for"))}).struct(Nap)
    assert {
        "type": "object",
        "description": ("Sleep for `for` (left out: for ever). `mood` says how; `place`: where. `place` is kept."),
        "properties": {
            "for": {"$ref": "#/$defs/longer", "description": "Sleep for `for` (left out: for ever)."},
            "place": {**TEXT, "description": "`place`: where. `place` is kept."},
            "mood": {"enum": ["deep", "light"], "description": "`mood` says how"},
        },
        "additionalProperties": False,
        "required": ["place"],
        "dependentRequired": {"mood": ["for"]},
    } == built


def test_a_new_field_that_can_be_written_in_many_ways_is_refused_until_the_table_says_how() -> None:
    with pytest.raises(LookupError, match=r"Nap\.duration: say in the table of words how it is written"):
        Builder({}).struct(Nap)


def test_a_new_field_of_a_plain_type_appears_by_itself() -> None:
    table: dict[type, Wording] = {
        Days: Wording(words={"shares": ()}, more={"schema": Word(form={"const": "days/v1"}, needed=True)})
    }
    assert {
        "schema": {"const": "days/v1"},
        "naps": {"type": "array", "items": {"$ref": "#/$defs/nap"}},
        "where": {"$ref": "#/$defs/condition"},
        "context": {"type": "object", "additionalProperties": {"$ref": "#/$defs/expression"}},
        "mean": {"type": "boolean"},
    } == Builder(table).struct(Days)["properties"]


def test_a_document_brings_what_it_refers_to_and_nothing_else() -> None:
    found = Builder({Nap: Wording(words={"duration": word("for", LONGER)})}).document(
        {"items": {"$ref": "#/$defs/nap"}}, "naps"
    )
    assert "https://json-schema.org/draft/2020-12/schema" == found["$schema"]
    assert "naps" == found["title"]
    assert ["longer", "nap", "text"] == list(found["$defs"])
