"""The worst week of one contact in one journey, and in all marketing together."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.lint.folder import lint_folder
from shared.lint.together import all_weeks
from shared.lint.week import Week, worst_week
from tests.unit.shared.lint.folders import journey

NEWS = "{topic: news}"
SHORT = "its waits and its `cooldown`"


def weeks(folder: Path, *texts: str) -> tuple[list[Week], Week]:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    studies = lint_folder(folder).studies
    return [worst_week(known) for known in studies], all_weeks(studies)


def entry(reentry: str) -> dict[str, str]:
    return {"policy": NEWS, "entry": f"{{reentry: {reentry}}}"}


TWO = "[{id: a, MAIL}, {id: rest, wait: {for: 1d}}, {id: b, MAIL}]"
LONG = "[{id: a, MAIL}, {id: rest, wait: {for: 7d}}, {id: b, MAIL}]"
LATE = "[{id: rest, wait: {for: 1d}}, {id: a, MAIL}]"
DAILY = "[{id: a, MAIL}, {id: rest, wait: {for: 1d}}, {id: again, goto: {step: a, max_visits: 30}}]"


@pytest.mark.parametrize(
    ("steps", "top", "expected"),
    [
        ("[{id: rest, wait: {for: 1d}}]", entry("{mode: always}"), Week(0, "it sends nothing")),
        (TWO, entry("{mode: never}"), Week(2, SHORT)),
        (LONG, entry("{mode: never}"), Week(1, SHORT)),
        (TWO, entry("{cooldown: 7d}"), Week(2, SHORT)),
        (TWO, entry("{cooldown: 5d}"), Week(3, SHORT)),
        (TWO, entry("{cooldown: 3d}"), Week(4, SHORT)),
        (LATE, entry("{cooldown: 0s}"), Week(7, SHORT)),
        (DAILY, entry("{mode: never}"), Week(7, SHORT)),
        (DAILY, {**entry("{mode: never}"), "policy": "{topic: news, max_sends: 3}"}, Week(3, SHORT)),
        (
            TWO,
            {"policy": NEWS, "entry": "{key: event.name}"},
            Week(None, "each value of `entry.key` has runs of its own"),
        ),
        (
            TWO,
            entry("{mode: always}"),
            Week(None, "each trigger starts a run of its own (`reentry.mode: always`)"),
        ),
        (
            TWO,
            entry("{cooldown: 0s}"),
            Week(None, "it sends at once and may be entered again at once (`reentry.cooldown`)"),
        ),
        (
            TWO,
            {"policy": NEWS, "entry": "{on_retrigger: restart, reentry: {mode: never}}"},
            Week(None, "it sends at once and may be entered again at once (`on_retrigger`)"),
        ),
        (LATE, {"policy": NEWS, "entry": "{on_retrigger: restart, reentry: {mode: never}}"}, Week(7, SHORT)),
        (
            TWO,
            {**entry("{mode: always}"), "policy": "{topic: news, frequency_cap: [{max: 2, per: 3d}]}"},
            Week(6, "the frequency cap of 2 per 3d"),
        ),
        (
            TWO,
            {**entry("{mode: never}"), "policy": "{topic: news, frequency_cap: [{max: 5, per: 1d}]}"},
            Week(2, SHORT),
        ),
    ],
)
def test_the_worst_week_of_a_journey(steps: str, top: dict[str, str], expected: Week, tmp_path: Path) -> None:
    assert [expected] == weeks(tmp_path, journey("a", steps, **top))[0]


ONCE = entry("{mode: never}")
CAPPED = {"policy": "{topic: news, frequency_cap: [{max: 1, per: 2d}]}", "entry": "{reentry: {mode: always}}"}


@pytest.mark.parametrize(
    ("journeys", "expected"),
    [
        ([ONCE, ONCE], 4),
        ([ONCE, {}], 2),
        ([CAPPED, CAPPED], 4),
        ([CAPPED, ONCE], 6),
        ([ONCE, {**CAPPED, "policy": NEWS}], None),
    ],
)
def test_all_marketing_together(journeys: list[dict[str, str]], expected: int | None, tmp_path: Path) -> None:
    """Sums, but for those that share caps over all of a contact's messages; transactional messages do not count."""
    texts = [journey(f"j{number}", TWO, **top) for number, top in enumerate(journeys)]
    assert expected == weeks(tmp_path, *texts)[1].most
