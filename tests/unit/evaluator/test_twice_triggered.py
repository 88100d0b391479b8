"""One event starts one run of a journey and key, by however many of its triggers: a second would have the same ids."""

from __future__ import annotations

import pytest

from tests.builders import a_journey, a_record, an_event, at, identified
from tests.oracle import Verdict, judge

JOURNEY = """
schema: journey/v1
id: after_cart
version: 1
triggers:
  - {type: journey, journey: cart, outcome: converted}
  - {type: journey, journey: cart}
entry: {WORDS}
policy: {purpose: transactional}
steps:
  - {id: hello, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
  - {id: rest, wait: {for: 1h}}
"""


def run(words: str, *, text: str = JOURNEY) -> Verdict:
    journey = a_journey(text.replace("WORDS", words))
    ended = an_event("Journey Exited", at("10:00"), journey="cart", reason="converted")
    log = [a_record(0, identified(at("09:00"), email="aki@example.jp")), a_record(1, ended)]
    return judge([journey], log, until=at("10:01"))


def told(verdict: Verdict) -> list[tuple[str, str | None]]:
    return [(it.decision, it.reason) for it in verdict.journal]


@pytest.mark.parametrize("words", ["reentry: {mode: always}", "on_retrigger: restart", "on_retrigger: ignore"])
def test_two_triggers_that_one_event_fulfils_start_one_run(words: str) -> None:
    """Restarted, it would call back the message of its first step, and its second run would send none of that id."""
    verdict = run(words)
    assert [("entered", None), ("send", None), ("not_entered", "already_inside")] == told(verdict)
    assert 1 == len(verdict.states["u:c1"].runs)
    assert () == tuple(verdict.cancels)


def test_a_run_that_is_over_at_once_is_not_started_again_by_the_same_event() -> None:
    verdict = run("reentry: {mode: always}", text=JOURNEY.replace("  - {id: rest, wait: {for: 1h}}\n", ""))
    expected = [("entered", None), ("send", None), ("exited", "completed"), ("not_entered", "already_inside")]
    assert expected == told(verdict)
