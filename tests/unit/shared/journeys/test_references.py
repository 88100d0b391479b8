"""Names that lead nowhere: each is a fault where it stands, with a suggestion."""

from __future__ import annotations

import pytest

from tests.unit.shared.journeys.literals import changed, faults

WAIT = "{id: rest, wait: {for: 1d}}"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            "{id: test, experiment: {salt: s, variants: [{id: a, weight: 1}], winner: {goal: bougth, after: 1d}}}",
            "unknown goal `bougth`; did you mean `bought`?",
        ),
        (
            "{id: look, wait_for: {any: [{id: a, event: X}], timeout: {after: 1d}, since: helo}}",
            "unknown step `helo`; did you mean `hello`?",
        ),
        (
            "{id: look, branch: [{if: {message: {step: rest, was: opened}}, then: []}]}",
            "unknown step that sends `rest`; known: hello",
        ),
    ],
)
def test_an_unknown_name_is_a_fault(step: str, expected: str) -> None:
    text = changed("entry: {priority: 10}", "goals: [{id: bought, event: Order Completed}]")
    text = changed(WAIT, f"{step}\n  - {WAIT}", text)
    assert [f"journey.yaml:9: {expected}"] == faults(text)
