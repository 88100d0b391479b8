"""``kikkake journeys simulate --compare``: what another version would have done, counted and side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from cli.simulator.compare import MEASURES
from cli.simulator.decisions import SHOWN
from cli.simulator.tables import _WORDS
from cli.simulator.tally import OF
from tests.builders import ROOT

GOLDEN = Path(__file__).parent / "golden"
DAY = GOLDEN / "day.ndjson"


def simulate(*arguments: str | Path, text: bytes | None = None) -> Result:
    command = ["journeys", "simulate", *map(str, arguments)]
    return CliRunner().invoke(cli, command, input=text, catch_exceptions=False)


def compared(other: Path, *arguments: str | Path, base: Path = GOLDEN / "journeys") -> Any:
    result = simulate("--journeys", base, "--compare", other, "--events", DAY, "--format", "json", *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    return json.loads(result.stdout)


def counts(found: Any, side: str) -> dict[tuple[str, str, tuple[str, ...]], float]:
    """Return the rows of the journeys that count decisions, without those that are 0."""
    return {
        (row["journey"], row["measure"], tuple(row["of"])): row[side]
        for row in found["rows"]
        if row["measure"] in OF and row[side]
    }


def changed(tmp_path: Path, old: str, new: str, journey: str = "cart") -> Path:
    """Return a folder with the golden journeys, one of them changed."""
    folder = tmp_path / "other"
    folder.mkdir()
    for file in (GOLDEN / "journeys").iterdir():
        text = file.read_text()
        if file.stem == journey:
            assert old in text
            text = text.replace(old, new)
        (folder / file.name).write_text(text)
    return folder


def test_the_table_of_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN)
    options = ["--journeys", "journeys", "--compare", "other", "--until", "1d", "--explain"]
    expected = (GOLDEN / "day.compared.txt").read_text()
    result = simulate(*options, "--events", DAY)
    assert (0, "", expected) == (result.exit_code, result.stderr, result.stdout)


def test_standard_input_in_another_process_gives_the_same_bytes() -> None:
    command = [sys.executable, "-m", "cli", "journeys", "simulate", "--events", "-", "--until", "1d", "--explain"]
    done = subprocess.run(
        [*command, "--journeys", "journeys", "--compare", "other"],
        input=DAY.read_bytes(),
        capture_output=True,
        cwd=GOLDEN,
        env={"PYTHONHASHSEED": "7", "LC_ALL": "C", "PATH": "", "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert (GOLDEN / "day.compared.txt").read_bytes() == done.stdout


def test_the_counts_are_those_of_the_decisions() -> None:
    found = compared(GOLDEN / "other")
    for side, folder in (("base", "journeys"), ("other", "other")):
        printed = simulate("--journeys", GOLDEN / folder, "--events", DAY).stdout.splitlines()
        decisions = [json.loads(line) for line in printed]
        assert len(decisions) > 10
        expected = Counter(
            (made["journey"].partition("@")[0], made["decision"], tuple(made[field] for field in OF[made["decision"]]))
            for made in decisions
        )
        assert expected == counts(found, side)


def test_every_decision_that_is_shown_is_counted() -> None:
    assert SHOWN == OF.keys()


def test_the_same_folder_twice_differs_in_nothing() -> None:
    found = compared(GOLDEN / "journeys", "--explain")
    assert all(row["base"] == row["other"] for row in found["rows"])
    assert (3, 0, 0, []) == (found["contacts"], found["messages"], found["texts"], found["differences"])


def test_messages_per_contact_are_those_of_all_whom_something_was_decided_about() -> None:
    rows = compared(GOLDEN / "other", "--until", "1d")["rows"]
    assert {
        ("messages", ()): (2, 3),
        ("messages_mean", ()): (2 / 3, 1),
        ("messages_most", ()): (2, 2),
        ("contacts_with", ("0",)): (2, 1),
        ("contacts_with", ("1",)): (0, 1),
        ("contacts_with", ("2",)): (1, 1),
    } == {(row["measure"], tuple(row["of"])): (row["base"], row["other"]) for row in rows if row["journey"] is None}


def test_other_texts_alone_are_told_apart_from_other_messages(tmp_path: Path) -> None:
    found = compared(changed(tmp_path, '"{{ context.product }}"', '"Your {{ context.product }}"'), "--explain")
    assert (0, 1) == (found["messages"], found["texts"])
    sent = "2026-03-02T10:55:00+09:00 cart send remind_1 by email: "
    assert [{"contact": "aki", "decisions": [[f"{sent}Teapot", f"{sent}Your Teapot"]]}] == found["differences"]


def test_another_time_is_another_message(tmp_path: Path) -> None:
    found = compared(changed(tmp_path, "for: 45m", "for: 46m"))
    assert (1, 0) == (found["messages"], found["texts"])


def test_a_journey_that_one_folder_does_not_have_counts_nothing_there(tmp_path: Path) -> None:
    folder = changed(tmp_path, "id: cart", "id: cart")
    (folder / "cart.yaml").unlink()
    found = compared(folder)
    assert {"cart", "order"} == {journey for journey, _, _ in counts(found, "base")}
    assert {"order"} == {journey for journey, _, _ in counts(found, "other")}
    assert (1, 0) == (found["messages"], found["texts"])


def test_without_explain_nothing_of_a_contact_is_shown() -> None:
    assert [] == compared(GOLDEN / "other")["differences"]


def test_ndjson_is_a_row_a_line_and_the_rest_in_the_last() -> None:
    folders: list[str | Path] = ["--journeys", GOLDEN / "journeys", "--compare", GOLDEN / "other"]
    options = [*folders, "--events", DAY, "--explain"]
    *rows, rest = map(json.loads, simulate(*options, "--format", "ndjson").stdout.splitlines())
    whole = compared(GOLDEN / "other", "--explain")
    assert whole["rows"] == rows
    assert {name: whole[name] for name in ("contacts", "messages", "texts", "differences")} == rest


def test_connectors_answer_both_sides_what_the_file_says(tmp_path: Path) -> None:
    journey = """
schema: journey/v1
id: coupon
version: 1
trigger: {type: event, event: Product Added}
policy: {purpose: transactional}
steps:
  - {id: ask, call: {connector: coupons.issue, save_as: coupon, on_fail: exit}}
  - {id: tell, send: {channels: [email], template: {email: {subject: "WHOSE {{ context.coupon.code }}", text: Hello}}}}
"""
    folders = tmp_path / "base", tmp_path / "other"
    for folder, whose in zip(folders, ("Your", "Our"), strict=True):
        folder.mkdir()
        (folder / "coupon.yaml").write_text(journey.replace("WHOSE", whose))
    answers = tmp_path / "answers.yaml"
    answers.write_text("schema: answers/v1\nanswers: {coupons.issue: {data: {code: TEN}}}\n")
    base, other = folders
    unheard = compared(other, base=base)
    answered = compared(other, "--explain", "--answers", answers, base=base)
    for side in ("base", "other"):
        assert {("coupon", "exited", ("call_failed",))} == {key for key in counts(unheard, side) if key[1] == "exited"}
        assert {("coupon", "exited", ("completed",))} == {key for key in counts(answered, side) if key[1] == "exited"}
    [one, two] = answered["differences"][0]["decisions"][0]
    assert ("Your TEN", "Our TEN") == (one.partition("email: ")[2], two.partition("email: ")[2])


def test_no_events_are_a_comparison_of_nothing() -> None:
    result = simulate("--journeys", GOLDEN / "journeys", "--compare", GOLDEN / "other", "--events", "-", text=b"")
    assert 0 == result.exit_code
    assert "0 of 0 contacts get other messages, 0 the same with other texts" == result.stdout.splitlines()[-1]


def test_faults_of_both_folders_and_of_the_lines_come_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "cart.yaml").write_text((GOLDEN / "other/cart.yaml").read_text().replace("wait:", "wate:", 1))
    result = simulate("--journeys", GOLDEN / "journeys", "--compare", tmp_path, "--events", "-", text=b"{}")
    assert (1, "") == (result.exit_code, result.stdout)
    assert [f"{tmp_path}/cart.yaml:17:18", "stdin:1:1"] == [
        line.partition(": ")[0] for line in result.stderr.splitlines()
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--events", "-", "--format", "json"], "--format belongs to --compare"),
        (["--log", "-", "--compare", "x"], "--compare works on --events"),
        (["--events", "-", "--compare", str(GOLDEN / "other"), "--until", "soon"], "`soon` is not a time"),
    ],
)
def test_a_wrong_call_is_exit_code_2(arguments: list[str], expected: str) -> None:
    result = simulate("--journeys", GOLDEN / "journeys", *arguments, text=b"")
    assert 2 == result.exit_code
    assert expected in result.stderr


def test_every_measure_has_its_words() -> None:
    assert set(MEASURES) == _WORDS.keys()
