"""docs/simulate.md: what it shows is what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from tests.builders import ROOT
from tests.unit.docs.pages import blocks

PAGE = ROOT / "docs/simulate.md"


def shown() -> list[tuple[str, str]]:
    """Return each command of the page with what it shows as its output."""
    found = []
    for block in blocks(PAGE, "console"):
        command, _, output = block.removeprefix("$ ").partition("\n")
        found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), shown(), ids=[command for command, _ in shown()])
def test_a_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, output: str
) -> None:
    journey, test = blocks(PAGE, "yaml")
    (tmp_path / "cart.yaml").write_text(journey)
    (tmp_path / "cart.test.yaml").write_text(test)
    assert {"version: 1", "for: 45m"} <= set(re.findall("version: 1|for: 45m", journey))
    (tmp_path / "sooner").mkdir()
    (tmp_path / "sooner/cart.yaml").write_text(
        journey.replace("version: 1", "version: 2").replace("for: 45m", "for: 30m")
    )
    [events] = blocks(PAGE, "json")
    (tmp_path / "day.ndjson").write_text(events)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, shlex.split(command)[1:], catch_exceptions=False)
    assert output == result.stdout
