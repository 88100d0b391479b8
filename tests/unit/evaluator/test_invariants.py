"""What a journey promises holds at run time, whatever its steps say: ``invariants``.

Most of these journeys break their promises, which the linter refuses to load; they are put together behind its back.
"""

from __future__ import annotations

import msgspec

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.model import Journey
from shared.journeys.promises import Invariant, MaxDuration, MaxSends, MinGap, NoSendAfter
from tests.builders import an_event, an_outcome, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey, sends, told

TWO = "- {id: a, MAIL}\n- {id: wait, wait: {for: 1h}}\n- {id: b, MAIL}"


def refused(verdict: Verdict) -> list[tuple[str | None, str | None, object, int]]:
    """Return the messages that were not sent: their step, the reason, the invariant, when."""
    return [
        (record.step, record.reason, record.detail.get("invariant"), record.at)
        for record in verdict.journal
        if record.decision == "skip"
    ]


def promise(trip: Journey, *invariants: Invariant) -> Journey:
    return msgspec.structs.replace(trip, invariants=invariants)


def promising(invariant: Invariant, steps: str, more: str = "") -> Verdict:
    return happens(promise(journey(steps, more=more), invariant), GO, until=at("10:00", day=9))


def test_max_sends_is_kept() -> None:
    verdict = promising(MaxSends(2), "- {id: a, MAIL}\n- {id: b, MAIL}\n- {id: c, MAIL}")
    assert ["a", "b"] == [step for step, _ in sends(verdict)]
    assert [("c", "invariant", "max_sends", at("10:00"))] == refused(verdict)


def test_min_gap_is_kept_to_the_millisecond() -> None:
    steps = "- {id: a, MAIL}\n- {id: wait, wait: {for: 20h}}\n- {id: b, MAIL}"
    assert [("a", at("10:00")), ("b", at("06:00", day=1))] == sends(promising(MinGap(20 * HOUR), steps))
    verdict = promising(MinGap(20 * HOUR + 1), steps)
    assert [("b", "invariant", "min_gap", at("06:00", day=1))] == refused(verdict)


def test_min_gap_is_of_one_run() -> None:
    trip = promise(journey("- {id: a, MAIL}", more="entry: {reentry: {mode: always}}"), MinGap(20 * HOUR))
    verdict = happens(trip, GO, an_event("Go", at("10:01")), until=at("11:00"))
    assert [("a", at("10:00")), ("a", at("10:01"))] == sends(verdict)


def test_min_gap_looks_back_further_than_any_goal() -> None:
    steps = "- {id: a, MAIL}\n- {id: wait, wait: {for: 6d}}\n- {id: look, emit: {event: Looked}}\n- {id: b, MAIL}"
    assert [("b", "invariant", "min_gap", at("10:00", day=6))] == refused(promising(MinGap(8 * DAY), steps))


def test_a_message_that_never_left_is_no_message_to_keep_apart_from() -> None:
    trip = promise(journey(TWO), MinGap(2 * HOUR), MaxSends(1))
    [command] = happens(trip, GO, until=at("10:30")).commands
    verdict = happens(trip, GO, an_outcome(command, "failed", at("10:10")), until=at("12:00"))
    assert [("a", at("10:00")), ("b", at("11:00"))] == sends(verdict)


def test_the_messages_of_one_send_are_one_for_min_gap() -> None:
    """By all channels, one of them later than the other."""
    texts = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}"
    cap = "frequency_cap: [{max: 1, per: 1h, channel: sms, when_capped: defer}]"
    both = f"send: {{channels: [email, sms], mode: all, {texts}, {cap}}}"
    early = journey(f"- {{id: early, send: {{channels: [sms], {texts}}}}}", name="a", policy="{topic: news}")
    trip = promise(journey(f"- {{id: both, {both}}}\n- {{id: next, MAIL}}", policy="{topic: news}"), MinGap(2 * HOUR))
    verdict = happens((early, trip), GO, until=at("12:00"))
    assert [("early", at("10:00")), ("both", at("10:00")), ("both", at("11:00"))] == sends(verdict)
    assert [("next", "invariant", "min_gap", at("11:00"))] == refused(verdict)


def test_no_message_after_the_event_of_no_send_after() -> None:
    trip = promise(journey(TWO), NoSendAfter("Order Completed"))
    before = an_event("Order Completed", at("09:59"))
    assert ["a", "b"] == [step for step, _ in sends(happens(trip, before, GO, until=at("12:00")))]
    bought = an_event("Order Completed", at("10:30"))
    verdict = happens(trip, GO, bought, until=at("12:00"))
    assert [("b", "invariant", "no_send_after", at("11:00"))] == refused(verdict)


def test_the_event_that_starts_the_run_is_none_that_comes_after_it() -> None:
    trip = promise(journey(TWO), NoSendAfter("Go"))
    assert ["a", "b"] == [step for step, _ in sends(happens(trip, GO, until=at("12:00")))]
    verdict = happens(trip, GO, an_event("Go", at("10:30")), until=at("12:00"))
    assert [("b", "invariant", "no_send_after", at("11:00"))] == refused(verdict)


def test_max_duration_ends_the_run_to_the_millisecond() -> None:
    steps = "- {id: rest, wait: {for: 2d}}\n- {id: a, MAIL}"
    verdict = promising(MaxDuration(DAY), steps)
    assert [("entered", None, at("10:00")), ("exited", "max_duration", at("10:00", day=1))] == told(verdict)
    assert ["a"] == [step for step, _ in sends(promising(MaxDuration(2 * DAY + MINUTE), steps))]


def test_an_exit_rule_of_the_same_time_goes_before_it() -> None:
    rule = "exit: [{reason: over, after: 1d}]"
    verdict = promising(MaxDuration(DAY), "- {id: rest, wait: {for: 2d}}", rule)
    assert ("exited", "over", at("10:00", day=1)) == told(verdict)[-1]
