"""The schemas are valid themselves, and speak the language of the YAML."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from tests.schemas import READERS, schema

JOURNEY = {
    "schema": "journey/v1",
    "id": "welcome",
    "version": 1,
    "trigger": {"type": "event", "event": "Signed Up"},
    "steps": [{"id": "rest", "wait": {"for": "1d"}}],
}


@pytest.mark.parametrize("kind", READERS)
def test_each_is_a_valid_schema(kind: str) -> None:
    Draft202012Validator.check_schema(schema(kind).schema)


@pytest.mark.parametrize("kind", READERS)
def test_no_word_of_the_code_is_left_in_a_description(kind: str) -> None:
    told = re.findall(r'"description": "([^"]*)"', json.dumps(schema(kind).schema))
    assert told
    assert [] == [text for text in told if re.search(r"``|\bNone\b|\bms\b|_days\b", text)]


def test_a_journey_is_accepted() -> None:
    assert schema("journey").is_valid(JOURNEY)


@pytest.mark.parametrize(
    "change",
    [
        {"trigers": []},
        {"version": "one"},
        {"trigger": {"type": "sometimes", "event": "X"}},
        {"trigger": {"type": "event", "event": "X", "cron": "* * * * *"}},
        {"triggers": [{"type": "event", "event": "X"}]},
        {"steps": [{"id": "rest", "wait": {"for": "1 day"}}]},
        {"steps": [{"id": "rest", "wait": {"for": "1d"}, "exit": {"reason": "done"}}]},
        {"steps": [{"id": "ask", "branch": [{"if": "true", "then": [], "else": []}]}]},
        {"steps": [{"id": "ask", "branch": [{"if": {"performed": {"event": "X"}}, "then": []}]}]},
        {"policy": {"frequency_cap": [{"max": 0, "per": "1d"}]}},
        {"exit": [{"reason": "left", "event": "X", "after": "1d"}]},
        {"invariants": [{"max_sends": 2, "min_gap": "1h"}]},
    ],
)
def test_a_wrong_word_type_or_choice_is_refused(change: dict[str, object]) -> None:
    assert not schema("journey").is_valid({**JOURNEY, **change})


def test_a_text_of_another_form_is_told_in_words() -> None:
    forms = schema("journey").schema["$defs"]  # type: ignore[index]
    assert (
        "Numbers, each with a unit: s, m, h, d, w. Such as 45m, 24h, 1h30m" == forms["duration"]["patternErrorMessage"]
    )
    assert not [name for name, form in forms.items() if "pattern" in form and "patternErrorMessage" not in form]
