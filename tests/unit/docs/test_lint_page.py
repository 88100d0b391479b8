"""What docs/lint.md shows of two of the shipped journeys is what the linter says of them."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

from click.testing import CliRunner

from cli.main import cli
from tests.builders import JOURNEYS, ROOT

SHOWN = ("cart_abandonment.yaml", "order_confirmation.yaml")


def test_the_table_that_the_page_shows_is_the_one_that_is_printed(tmp_path: Path) -> None:
    folder = tmp_path / "journeys"
    copytree(JOURNEYS, folder)
    for file in folder.glob("*.yaml"):
        if file.name not in (*SHOWN, "catalogue.yaml", "workspace.yaml"):
            file.unlink()
    result = CliRunner().invoke(cli, ["journeys", "lint", str(folder), "--explain"])
    assert 0 == result.exit_code
    page = (ROOT / "docs/lint.md").read_text()
    assert f"$ kikkake journeys lint journeys --explain\n{result.stdout}{result.stderr}```" in page
