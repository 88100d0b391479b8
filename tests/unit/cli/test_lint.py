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

SHIPPED = len([file for file in JOURNEYS.glob("*.yaml") if file.read_text().startswith("schema: journey/v1")])
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
    assert f"{SHIPPED} journeys, 0 faults, 0 warnings\n" == result.stderr


def test_each_fault_is_a_line_that_editors_can_follow(broken: Path) -> None:
    result = lint(broken)
    assert 1 == result.exit_code
    assert [
        f"{broken}/welcome.yaml:3:1: fault: expected a whole number from 1 to 1000000, not `one`",
        f"{broken}/welcome.yaml:7:17: fault: unknown key `snd`; did you mean `send`?",
    ] == result.stdout.splitlines()
    assert "0 journeys, 2 faults, 0 warnings\n" == result.stderr


def test_json_names_file_line_column_and_message(broken: Path) -> None:
    result = lint(broken, "--format", "json")
    assert 1 == result.exit_code
    assert [
        {
            "file": f"{broken}/welcome.yaml",
            "line": 3,
            "column": 1,
            "severity": "fault",
            "message": "expected a whole number from 1 to 1000000, not `one`",
        },
        {
            "file": f"{broken}/welcome.yaml",
            "line": 7,
            "column": 17,
            "severity": "fault",
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
    assert f"{SHIPPED} journeys, 2 faults, 0 warnings\n" == result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing argument 'PATHS...'"),
        (["nowhere"], "Directory 'nowhere' does not exist"),
        (["pyproject.toml"], "Directory 'pyproject.toml' is a file"),
        ([str(JOURNEYS), "--format", "xml"], "'xml' is not one of 'text', 'json'"),
        ([str(JOURNEYS), "--format", "json", "--explain"], "--explain is a table for people; leave out --format json"),
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
    assert f"{tmp_path}/a.yaml:1:1: fault: not UTF-8; save the file as UTF-8\n" == done.stdout
    assert "0 journeys, 1 fault, 0 warnings\n" == done.stderr


DOUBTFUL = """\
schema: journey/v1
id: welcome
version: 1
trigger: {type: event, event: Signd Up}
policy: {topic: news, max_sends: 2}
exit: [{reason: bought, event: Order Completed}]
steps:
  - {id: hello, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}
  - {id: rest, wait: {for: 1d}}
  - {id: again, goto: {step: hello, max_visits: 3}}
entry: {reentry: {mode: never}}
invariants: [{max_sends: 2}, {min_gap: 20h}, {no_send_after: Order Completed}]
"""
ALL = "all marketing, one contact, any seven days"


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    (tmp_path / "welcome.yaml").write_text(DOUBTFUL)
    return tmp_path


def test_a_warning_is_a_line_and_no_failure_unless_it_is_asked_for(doubtful: Path) -> None:
    line = "welcome.yaml:4:24: warning: no catalogue knows the event `Signd Up`; did you mean `Signed Up`?\n"
    result = lint(doubtful)
    assert (0, f"{doubtful}/{line}") == (result.exit_code, result.stdout)
    assert "1 journey, 0 faults, 1 warning\n" == result.stderr
    assert (1, result.stdout) == ((strict := lint(doubtful, "--strict")).exit_code, strict.stdout)


def test_json_tells_a_warning_from_a_fault(doubtful: Path) -> None:
    [found] = json.loads(lint(doubtful, "--format", "json").stdout)
    assert ("warning", 4, 24) == (found["severity"], found["line"], found["column"])


def test_explain_says_what_is_known_and_what_is_proved(doubtful: Path) -> None:
    result = lint(doubtful, "--explain")
    assert 0 == result.exit_code
    assert [
        "journey    sends at most  least gap  lasts at most  a week at most",
        "welcome@1  2              1d         3d             2",
        "welcome@1: `max_sends: 2` is proved: `policy.max_sends: 2`",
        "welcome@1: `min_gap: 20h` is proved: hello -> rest -> again -> hello takes 1d or more",
        "welcome@1: `no_send_after: Order Completed` is proved: every run that can still send ends at it",
        "welcome@1: at most 2 messages a week: its waits and its `cooldown`",
        f"{ALL}: at most 2 messages: the sum of all marketing, or the frequency caps over all of it",
    ] == result.stdout.splitlines()[1:]


def test_explain_says_who_goes_first(tmp_path: Path) -> None:
    for name, priority in (("a", 10), ("b", 90)):
        text = DOUBTFUL.replace("id: welcome", f"id: {name}").replace("Signd", "Signed")
        (tmp_path / f"{name}.yaml").write_text(text.replace("\nentry: {", f"\nentry: {{priority: {priority}, "))
    assert "`Signed Up` starts, in this order: b (priority 90), a (priority 10)" in lint(tmp_path, "--explain").stdout
