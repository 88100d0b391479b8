"""README.md: it leads to every page, and names what the language has."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from shared.journeys.model import Trigger
from shared.lint.folder import lint_folder
from tests.builders import ROOT
from tests.unit.docs.pages import blocks

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


def test_the_journey_shown_raises_no_doubt_beside_a_catalogue(tmp_path: Path) -> None:
    """Whoever copies it and adds an event of their own is told of nothing that we wrote."""
    [shown] = [block for block in blocks(ROOT / "README.md", "yaml") if block.startswith("schema: journey/v1")]
    (tmp_path / "cart_reminder.yaml").write_text(shown)
    (tmp_path / "catalogue.yaml").write_text("schema: catalogue/v1\nevents: {Kettle Boiled: }\n")
    assert [] == [str(finding) for finding in lint_folder(tmp_path).findings]


def test_what_it_does_today_names_every_trigger() -> None:
    today = README.partition("## What it does today")[2].partition("\n- **")[0]
    triggers = {str(kind.__struct_config__.tag) for kind in get_args(Trigger)}
    assert {"event", "date", "journey"} < triggers
    assert set() == {trigger for trigger in triggers if trigger not in today}
