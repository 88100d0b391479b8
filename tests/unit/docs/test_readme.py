"""README.md: it leads to every page, and names what the language has."""

from __future__ import annotations

from typing import get_args

from shared.journeys.model import Trigger
from tests.builders import ROOT

README = (ROOT / "README.md").read_text()


def test_every_page_is_in_the_table() -> None:
    table = README.partition("## Find your way")[2].partition("\n## ")[0]
    pages = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")}
    elsewhere = {page for page in pages if f"]({page})" in README}
    assert pages == elsewhere
    assert {page for page in pages if f"]({page})" not in table} == {
        "docs/performance.md",
        "docs/reliability.md",
        "docs/reference/reasons.md",
    }


def test_what_it_does_today_names_every_trigger() -> None:
    today = README.partition("## What it does today")[2].partition("\n- **")[0]
    triggers = {str(kind.__struct_config__.tag) for kind in get_args(Trigger)}
    assert {"event", "date", "journey"} < triggers
    assert set() == {trigger for trigger in triggers if trigger not in today}
