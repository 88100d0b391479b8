"""``kikkake journeys lint``: exit codes, text for people, JSON for machines, and no traceback for either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from tests.builders import JOURNEYS, ROOT

BROKEN = """\
schema: journey/v1
id: welcome
version: one
trigger: {type: event, event: Signed Up}
policy: {purpose: transactional}
steps:
  - {id: hello, snd: {}}
  - {id: end, exit: {reason: done}}
"""


def lint(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["journeys", "lint", *map(str, arguments)])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "welcome.yaml").write_text(BROKEN)
    return tmp_path


def test_the_shipped_journeys_have_no_faults() -> None:
    result = lint(JOURNEYS)
    assert (0, "") == (result.exit_code, result.stdout)
    assert "2 journeys, 0 faults\n" == result.stderr


def test_each_fault_is_a_line_that_editors_can_follow(broken: Path) -> None:
    result = lint(broken)
    assert 1 == result.exit_code
    assert [
        f"{broken}/welcome.yaml:3: expected a whole number from 1 to 1000000, not `one`",
        f"{broken}/welcome.yaml:7: unknown key `snd`; did you mean `send`?",
    ] == result.stdout.splitlines()
    assert "0 journeys, 2 faults\n" == result.stderr


def test_json_names_file_line_column_and_message(broken: Path) -> None:
    result = lint(broken, "--format", "json")
    assert 1 == result.exit_code
    assert [
        {
            "file": f"{broken}/welcome.yaml",
            "line": 3,
            "column": 1,
            "message": "expected a whole number from 1 to 1000000, not `one`",
        },
        {
            "file": f"{broken}/welcome.yaml",
            "line": 7,
            "column": 17,
            "message": "unknown key `snd`; did you mean `send`?",
        },
    ] == json.loads(result.stdout)


def test_json_of_no_faults_is_an_empty_list() -> None:
    result = lint(JOURNEYS, "--format", "json")
    assert (0, []) == (result.exit_code, json.loads(result.stdout))


def test_several_folders_are_checked_in_one_run(broken: Path) -> None:
    result = lint(JOURNEYS, broken)
    assert 1 == result.exit_code
    assert 2 == len(result.stdout.splitlines())
    assert "2 journeys, 2 faults\n" == result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing argument 'PATHS...'"),
        (["nowhere"], "Directory 'nowhere' does not exist"),
        (["pyproject.toml"], "Directory 'pyproject.toml' is a file"),
        ([str(JOURNEYS), "--format", "xml"], "'xml' is not one of 'text', 'json'"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = lint(*arguments)
    assert 2 == result.exit_code
    assert expected in result.stderr


def test_a_file_of_bytes_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", "journeys", "lint", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert 1 == done.returncode
    assert f"{tmp_path}/a.yaml:1: not UTF-8; save the file as UTF-8\n" == done.stdout
    assert "0 journeys, 1 faults\n" == done.stderr
