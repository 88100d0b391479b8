"""docs/connectors.md says which services are known, and what each of them does."""

from __future__ import annotations

from services.dispatcher.connectors.presets import PRESETS
from tests.unit.docs.pages import table


def test_the_page_lists_the_services_that_are_known() -> None:
    said = {row[0].strip("`"): row[1] for row in table("docs/connectors.md", "## Services that are known")}
    assert {name: preset.about for name, preset in PRESETS.items()} == said
