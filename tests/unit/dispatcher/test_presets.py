"""The services that are known: each asks for nothing but what a call can say, and says what that is."""

from __future__ import annotations

import re

import pytest

from services.dispatcher.connectors.filling import unknown
from services.dispatcher.connectors.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_service_is_asked_with_what_its_call_says_and_the_page_names(name: str) -> None:
    preset = PRESETS[name]
    assert [] == [*unknown(preset.body), *unknown(preset.path)]
    said = set(re.findall(r"\{arguments\.(\w+)\}", f"{preset.path} {preset.body}"))
    assert said == set(re.findall(r"`(\w+)`", preset.about))


def test_an_answer_that_only_in_part_says_yes_is_none() -> None:
    """HubSpot answers 207 for an input that it refused: the 2xx of it must not count."""
    assert {200, 201} == PRESETS["hubspot_contact"].success
    assert 207 not in PRESETS["salesforce_upsert"].success
