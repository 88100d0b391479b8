"""``kikkake journeys flow`` prints a journey's picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from tests.builders import JOURNEYS

WELCOME = """\
schema: journey/v1
id: welcome
version: 1
trigger: {type: event, event: Signed Up}
steps: [{id: rest, wait: {for: 1d}}]
"""


def flow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["journeys", "flow", *map(str, arguments)])


def test_the_picture_of_a_journey_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "welcome.yaml"
    file.write_text(WELCOME)
    result = flow(file)
    assert 0 == result.exit_code
    assert [
        "flowchart TD",
        '  trigger_1(["Signed Up"])',
        "  trigger_1 --> s_rest",
        '  s_rest{{"rest<br/>wait 1d"}}',
        "  s_rest --> end_completed",
        '  end_completed(["end: completed"])',
    ] == result.stdout.splitlines()


def test_its_words_are_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "welcome.yaml"
    file.write_text(WELCOME)
    assert '  s_rest{{"rest<br/>1日待つ"}}' in flow(file, "--language", "ja").stdout.splitlines()


def test_the_templates_beside_a_journey_are_found() -> None:
    assert 0 == flow(JOURNEYS / "cart_abandonment.yaml").exit_code


def test_faults_are_named(tmp_path: Path) -> None:
    file = tmp_path / "welcome.yaml"
    file.write_text(WELCOME.replace("wait:", "wate:"))
    with pytest.raises(JourneyFaultsError, match="unknown key `wate`"):
        raise flow(file).exception or AssertionError


def test_a_file_that_is_no_journey_is_named(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("schema: catalogue/v1\n")
    with pytest.raises(ConfigurationError, match=r"catalogue\.yaml is no journey"):
        raise flow(file).exception or AssertionError
