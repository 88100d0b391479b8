"""What docs/lint.md shows of the shipped journeys is what the linter says of them."""

from __future__ import annotations

from click.testing import CliRunner

from cli.main import cli
from tests.builders import JOURNEYS, ROOT


def test_the_table_that_the_page_shows_is_the_one_that_is_printed() -> None:
    result = CliRunner().invoke(cli, ["journeys", "lint", str(JOURNEYS), "--explain"])
    assert 0 == result.exit_code
    page = (ROOT / "docs/lint.md").read_text()
    assert f"$ kikkake journeys lint journeys --explain\n{result.stdout}{result.stderr}```" in page
