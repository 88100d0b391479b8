"""Every word of the language is explained, shown and tested; every case of the design's section 12 is a test.

The words come from the JSON Schema, which other tests hold against the parsers: a new word fails here until there is

- an explanation: a section of docs/journeys.md, docs/journeys/ or a page beside them has the key, and the choice, in
  code font and names the place where it stands;
- an example: a YAML block of these pages says the word there;
- a test: one of the evaluator, the dispatcher or the command line plays a journey that says it. For words that only
  people read, the test of a parser.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cli.main import cli
from shared.journeys.model import Send
from tests.builders import ROOT
from tests.unit.docs.pages import PAGES, blocks, prose, table
from tests.unit.docs.words import ANYWHERE, WORD, Word, read_block, spoken_in, words_of

FOR_PEOPLE = {"schema", "name", "description", "owner", "tags"}
TEMPLATE_PLACES = {
    "template",
    "email",
    "sms",
    "whatsapp",
    "line",
    "push",
    "web_push",
    "in_app",
    "webhook",
    "slack",
    "attachments",
}
"""What stands in a template is the matter of docs/templates.md and its own tests."""


def asked() -> set[Word]:
    """Return the words; the days of the week are explained at one place, the channels at ``send``."""
    return {
        word
        for word in words_of()
        if word[0] not in TEMPLATE_PLACES
        and not (word[1:2] == ("days",) and word[2:])
        and not (word[1] in ("channel", "reachable") and word[0] != "notify" and word[2:])
    }


WORDS = sorted(asked())
IDS = [" ".join(word) for word in WORDS]
LANGUAGE = [
    page
    for page in PAGES
    if page.parent.name == "journeys" or page.name in ("journeys.md", "templates.md", "lint.md", "lifecycle.md")
]
AROUND = {"schema": "journey/v1", "id": "shown", "version": 1, "steps": [{"id": "end", "exit": {"reason": "done"}}]}


def sections() -> list[tuple[set[str], set[str]]]:
    """Return of each section of the pages all its words, with those of the page's title, and those in code font."""
    found = []
    for page in LANGUAGE:
        title, *parts = re.split(r"^(?=##)", prose(page), flags=re.MULTILINE)
        for part in (title, *parts):
            code = " ".join(re.findall(r"`([^`\n]+)`", part))
            found.append((set(WORD.findall(title.split("\n", 1)[0] + part)), set(WORD.findall(code))))
    return found


def shown() -> set[Word]:
    """Return the words that the journeys, and the parts of journeys, of the pages say."""
    found: set[Word] = set()
    for page in LANGUAGE:
        for block in blocks(page, "yaml"):
            document = read_block(block)
            if isinstance(document, dict) and document.get("schema", "journey/v1") == "journey/v1":
                trigger = {} if "triggers" in document else {"trigger": {"type": "api"}}
                found |= words_of({**AROUND, **trigger, **document})
    return found


SECTIONS = sections()
SHOWN = shown()
PLAYED = [
    test
    for folder in ("evaluator", "dispatcher", "cli")
    for file in sorted((ROOT / "tests/unit" / folder).rglob("test_*.py"))
    for test in spoken_in(file)
]
PARSED = [test for file in sorted((ROOT / "tests/unit/shared/journeys").glob("test_*.py")) for test in spoken_in(file)]


def test_the_words_are_those_of_the_model() -> None:
    """Else a change of the schema could leave the other tests without anything to ask for."""
    assert {("send", field) for field in Send.__struct_fields__ if field not in ("id", "policy")} <= set(WORDS)
    assert {("frequency_cap", "when_capped", "next_channel"), ("quiet_hours", "spread"), ("until", "latest")} <= set(
        WORDS
    )
    assert 300 < len(WORDS)


@pytest.mark.parametrize("word", WORDS, ids=IDS)
def test_every_word_is_explained(word: Word) -> None:
    place, key, *choice = word
    needed = {key, *WORD.findall(" ".join(choice))}
    assert [code for words, code in SECTIONS if needed <= code and (place in ANYWHERE or place in words)], (
        f"no section of the pages on journeys that names `{place}` explains {sorted(needed)}"
    )


@pytest.mark.parametrize("word", WORDS, ids=IDS)
def test_every_word_is_shown_in_an_example(word: Word) -> None:
    assert word in SHOWN


@pytest.mark.parametrize("word", WORDS, ids=IDS)
def test_every_word_has_a_test(word: Word) -> None:
    for_people = word[0] == "journey" and word[1] in FOR_PEOPLE
    assert [test.id for test in (PARSED if for_people else PLAYED) if test.bears(word)]


REASONS = sorted(
    {
        row[0].strip("`")
        for heading in (
            "## Reasons of `not_entered`",
            "## Reasons of `skip`",
            "## Reasons of `failed`",
            "## Reasons of `answered`",
            "## Reasons of `exited`",
            "## Reason of `regret`",
        )
        for row in table("docs/reference/reasons.md", heading)
    }
)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_test(reason: str) -> None:
    assert [test.id for test in PLAYED if reason in test.words]


@pytest.mark.parametrize("command", sorted(cli.commands["journeys"].commands))  # type: ignore[attr-defined]
def test_every_command_on_journeys_is_documented_and_tested(command: str) -> None:
    assert [page.name for page in PAGES if f"kikkake journeys {command}" in page.read_text()]
    tested = [test for file in (ROOT / "tests").rglob("test_*.py") for test in spoken_in(file)]
    assert [test.id for test in tested if {"journeys", command} <= test.words]


CASES: dict[str, tuple[str, ...]] = {
    "wait until Monday 08:00 Tokyo, asked on Sunday evening UTC": (
        "unit/shared/walltime/test_instants.py::test_wait_until_monday_0800_tokyo_asked_on_sunday_evening_utc",
        "unit/evaluator/test_waiting.py::test_a_local_time_is_by_the_contacts_clock",
    ),
    "wait until Sunday 09:00 New York across the DST change": (
        "unit/shared/walltime/test_instants.py::test_wait_until_sunday_0900_new_york_across_the_dst_change",
        "unit/evaluator/test_waiting.py::test_nine_in_the_morning_stays_nine_when_the_clock_jumps",
    ),
    "a wall time that does not exist or exists twice": (
        "unit/shared/walltime/test_instants.py::test_a_wall_time_that_does_not_exist",
        "unit/shared/walltime/test_instants.py::test_a_wall_time_that_exists_twice",
        "unit/evaluator/test_waiting.py::test_a_time_that_the_clock_leaves_out_is_the_first_moment_after_it",
    ),
    "birthday 29 February in a common year": (
        "unit/evaluator/test_dates.py::test_feb29_says_when_a_leap_day_is_in_a_common_year",
    ),
    "birthday with offset 0": (
        "unit/evaluator/test_dates.py::test_a_birthday_comes_every_year_on_the_contacts_own_day",
        "unit/shared/walltime/test_anniversaries.py::test_a_birthday_with_offset_0",
    ),
    "an invalid time zone in a trait": (
        "unit/evaluator/test_dates.py::test_an_invalid_time_zone_means_the_workspaces_and_drops_nobody",
        "unit/evaluator/test_waiting.py::test_a_contact_without_a_valid_zone_has_the_workspaces",
        "unit/evaluator/test_runner_herd.py::test_a_time_zone_that_is_none_is_counted_once_when_it_is_learned",
    ),
    "a wait of three years": (
        "unit/evaluator/test_waiting.py::test_three_years_end_to_the_second",
        "unit/evaluator/test_dates.py::test_a_wait_of_three_years_fires_to_the_second",
    ),
    "a date property already past": (
        "unit/evaluator/test_waiting.py::test_a_date_that_is_over_or_none_is_passed_by_or_ends_the_run",
        "unit/evaluator/test_dates.py::test_a_date_that_is_past_when_it_becomes_known_starts_nothing_by_itself",
        "unit/evaluator/test_dates.py::test_missed_send_within_makes_up_for_what_is_young_enough",
    ),
    "re-trigger while inside": (
        "unit/evaluator/test_entry.py::test_a_retrigger_while_inside_leaves_one_run_and_one_schedule",
    ),
    "a cap of 1 per day at 23:00 and 00:05": (
        "unit/evaluator/test_caps.py::test_one_a_day_is_of_any_24_hours_and_not_of_the_calendar",
    ),
    "10,000 sends deferred by quiet hours, with and without spread": (
        "unit/evaluator/test_gates.py::test_what_is_deferred_is_spread_over_the_opening_each_contact_at_its_own_time",
        "unit/evaluator/test_runner_herd.py::test_a_herd_is_fired_in_bounded_epochs_and_records_get_through_in_between",
    ),
    "one journey or contact that raises": (
        "unit/evaluator/test_processor_poison.py::test_a_journey_that_raises_at_a_timer_loses_its_own_run_only",
        "unit/evaluator/test_processor_poison.py::test_a_journey_that_raises_at_an_event_is_not_entered_and_the_event_does_its_work",
        "unit/evaluator/test_processor_poison.py::test_an_event_on_which_the_core_raises_is_put_aside",
        "unit/dispatcher/test_worker.py::test_a_bug_of_ours_ends_one_command_and_spares_the_others",
    ),
}
"""The cases that other engines get wrong, and the tests that prove them here."""


@pytest.mark.parametrize("case", CASES)
def test_every_case_that_others_get_wrong_is_a_test(case: str) -> None:
    for path in CASES[case]:
        file, _, name = path.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_a_test_bears_what_its_journey_says_and_nothing_that_only_a_docstring_names(tmp_path: Path) -> None:
    file = tmp_path / "test_shown.py"
    file.write_text(
        'TRIP = "policy: {quiet_hours: {when_quiet: skip}}"\n'
        "def played(): return TRIP\n"
        'def test_quiet():\n    """spread: 30m"""\n    assert played()\n'
        'def test_other():\n    assert Cap(max=1) == "frequency_cap"\n'
    )
    quiet, other = spoken_in(file)
    assert quiet.bears(("quiet_hours", "when_quiet", "skip"))
    assert not quiet.bears(("quiet_hours", "when_quiet", "exit"))
    assert not quiet.bears(("send_window", "when_quiet"))
    assert not quiet.bears(("quiet_hours", "spread"))
    assert other.bears(("frequency_cap", "max"))
    assert not other.bears(("quiet_hours", "when_quiet"))
