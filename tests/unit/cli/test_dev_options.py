"""``kikkake dev``: what it refuses before it serves, in one clear text."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main as program
from tests.builders import JOURNEYS


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return what ``kikkake dev`` says when it ends with exit code 1."""
    monkeypatch.setattr("sys.argv", ["kikkake", "dev", "--port", "0", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert 1 == ended.value.code
    return capsys.readouterr().err


def test_a_missing_journeys_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, "--journeys", tmp_path / "nowhere", "--data", tmp_path / "data")
    assert (
        f"kikkake: there is no journeys folder {tmp_path}/nowhere; name it with --journeys or KIKKAKE_JOURNEYS\n"
        == said
    )


def test_faults_of_journeys_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text("")
    said = told(monkeypatch, capsys, "--journeys", tmp_path, "--data", tmp_path / "data")
    assert f"kikkake: {tmp_path}/a.yaml:1: the file is empty; it starts with `schema:`\n" == said


def test_an_smtp_address_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(monkeypatch, capsys, "--journeys", JOURNEYS, "--data", tmp_path / "data", "--smtp", "http://mail")
    assert said.startswith("kikkake: ")
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--port", "70000"], ["--durability", "some"]])
def test_a_value_out_of_range_is_exit_code_2(arguments: list[str]) -> None:
    assert 2 == CliRunner().invoke(program.cli, ["dev", *arguments]).exit_code
