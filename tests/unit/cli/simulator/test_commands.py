"""``kikkake journeys simulate`` and ``test``: exit codes, the lines that they print, and no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from tests.builders import CART, JOURNEYS, ROOT

GOLDEN = Path(__file__).parent / "golden"


def kikkake(*arguments: str | Path, text: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["journeys", *map(str, arguments)], input=text, catch_exceptions=False)


def simulate(*arguments: str | Path, text: bytes | None = None) -> Result:
    return kikkake("simulate", "--journeys", GOLDEN / "journeys", *arguments, text=text)


@pytest.mark.parametrize(("options", "expected"), [((), "decisions"), (("--explain",), "explained")])
def test_a_day_is_decided_as_recorded(options: tuple[str, ...], expected: str) -> None:
    result = simulate("--events", GOLDEN / "day.ndjson", "--until", "1d", *options)
    assert (0, "") == (result.exit_code, result.stderr)
    assert (GOLDEN / f"day.{expected}.ndjson").read_text() == result.stdout


def test_keys_are_sorted_and_contacts_have_no_prefix() -> None:
    lines = [json.loads(line) for line in (GOLDEN / "day.explained.ndjson").read_text().splitlines()]
    assert all(list(line) == sorted(line) for line in lines)
    assert {"aki", "ben", "browser-1"} == {line["contact"] for line in lines}


def test_events_come_from_standard_input_too() -> None:
    result = simulate("--events", "-", "--until", "1d", text=(GOLDEN / "day.ndjson").read_bytes())
    assert (GOLDEN / "day.decisions.ndjson").read_text() == result.stdout
    assert (0, "") == (simulate("--events", "-", text=b"").exit_code, simulate("--events", "-", text=b"").stdout)


def test_another_process_prints_the_same_bytes() -> None:
    command = [sys.executable, "-m", "cli", "journeys", "simulate", "--until", "1d"]
    folder, events = str(GOLDEN / "journeys"), str(GOLDEN / "day.ndjson")
    environment = {"PYTHONHASHSEED": "7", "LC_ALL": "C", "PATH": ""}
    done = subprocess.run(
        [*command, "--journeys", folder, "--events", events],
        capture_output=True,
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=60,
    )
    assert (GOLDEN / "day.decisions.ndjson").read_bytes() == done.stdout


def test_one_bad_line_and_nothing_is_decided(tmp_path: Path) -> None:
    events = tmp_path / "day.ndjson"
    events.write_bytes((GOLDEN / "day.ndjson").read_bytes() + b"{}\nnonsense\n")
    result = simulate("--events", events)
    assert (1, "") == (result.exit_code, result.stdout)
    assert [f"{events}:12:1", f"{events}:13:1"] == [line.partition(": ")[0] for line in result.stderr.splitlines()]


def test_faults_of_journeys_and_of_lines_come_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "cart.yaml").write_text(CART.replace("wait:", "wate:", 1))
    result = kikkake("simulate", "--journeys", tmp_path, "--events", "-", text=b"{}")
    assert 1 == result.exit_code
    assert [f"{tmp_path}/cart.yaml:18:18", "stdin:1:1"] == [
        line.partition(": ")[0] for line in result.stderr.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--events", "nowhere.ndjson"], "nowhere.ndjson"),
        (["--events", "-", "--until", "soon"], "`soon` is not a time"),
        ([], "name one file, with --events or with --log"),
        (["--events", "-", "--log", "-"], "name one file, with --events or with --log"),
        (["--log", "-", "--until", "1d"], "--until belongs to --events: a recorded log ends where it ends"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], expected: str) -> None:
    result = simulate(*arguments, text=b"")
    assert 2 == result.exit_code
    assert expected in result.stderr


def test_the_shipped_tests_pass_with_one_line() -> None:
    result = kikkake("test", JOURNEYS)
    assert 0 == result.exit_code
    [line] = result.stdout.splitlines()
    assert line.endswith(" scenarios, 0 failed")


def test_a_failing_scenario_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "cart.yaml").write_text(CART)
    test = tmp_path / "cart.test.yaml"
    test.write_text(
        'schema: journey-test/v1\njourney: cart\nstart: "2026-03-02T10:00:00Z"\n'
        "scenarios: [{name: nothing, expect: [{send: remind_1}]}, {name: right, expect: [{never: {send: any}}]}]\n"
    )
    result = kikkake("test", test)
    assert 1 == result.exit_code
    assert [
        f"{test}:4: nothing",
        "  expected  send remind_1",
        "  actual    nothing was decided",
        "2 scenarios, 1 failed",
    ] == result.stdout.splitlines()


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("a.test.yaml", b"\xff\xfe", "a.test.yaml:1:1: not UTF-8; save the file as UTF-8"),
        ("a.test.yaml", b"schema: journey-test/v1\njourney: cat\nscenarios: []\n", "did you mean `cart`?"),
        ("b.yaml", b"schema: journey/v1\n", "b.yaml:1:1: `id` is missing"),
    ],
)
def test_faults_are_lines_and_exit_code_1(tmp_path: Path, file: str, content: bytes, expected: str) -> None:
    (tmp_path / "cart.yaml").write_text(CART)
    (tmp_path / "a.test.yaml").write_bytes(b"schema: journey-test/v1\njourney: cart\nscenarios: []\n")
    (tmp_path / file).write_bytes(content)
    result = kikkake("test", tmp_path)
    assert 1 == result.exit_code
    assert expected in result.stdout
    assert result.stdout.splitlines()[-1].startswith("0 scenarios, 0 failed, ")


def test_a_folder_without_tests_is_no_success(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "journeys", "test", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert 1 == done.returncode
    assert f"kikkake: there is no *.test.yaml in {tmp_path}\n" == done.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"- a", "1:1: expected a mapping (lines of `key: value`), not a list"),
        (b"schema: answers/v1\nanswers: [a]", "2:1: expected a mapping (lines of `key: value`), not a list"),
        (b"schema: answers/v1\nanswers: {a: {date: 3, error: no}}", "2:15: unknown key `date`; did you mean `data`?"),
        (b"\xff\xfe", "1:1: not UTF-8; save the file as UTF-8"),
        (None, "1:1: cannot be read: No such file or directory"),
    ],
)
def test_a_fault_of_the_answers_reads_like_those_of_a_journey(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    file = tmp_path / "answers.yaml"
    if content is not None:
        file.write_bytes(content)
    result = simulate("--events", "-", "--answers", file, text=b"")
    assert (1, "", f"{file}:{expected}\n") == (result.exit_code, result.stdout, result.stderr)


def test_one_scenario_is_no_plural(tmp_path: Path) -> None:
    (tmp_path / "cart.yaml").write_text(CART)
    (tmp_path / "cart.test.yaml").write_text("""
schema: journey-test/v1
journey: cart
start: "2026-03-02T10:00:00+09:00"
scenarios: [{name: nothing, expect: [{never: {send: any}}]}]
""")
    assert "1 scenario, 0 failed\n" == kikkake("test", tmp_path).stdout
