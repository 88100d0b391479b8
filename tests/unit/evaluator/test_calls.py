"""``call``: a connector is asked, the run stays, and goes on with the answer."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.state import ContactState
from shared.messages.answer import Answer
from shared.messages.command import CallCommand
from tests.builders import an_answer, an_event, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey, told

COUPON = """\
- id: coupon
  call:
    {connector: coupons.issue, with: {percent: 10, cart: {expr: event.properties.cart}}, save_as: coupon, timeout: 5m}
- {id: mail, send: {channels: [email], template: {email: {subject: "{{ context.coupon.code }}", text: Hello}}}}
"""
TEN = at("10:00")


def asked(policy: str = "{purpose: transactional}") -> CallCommand:
    """Return the one call of the journey."""
    [call] = happens(journey(COUPON, policy=policy), GO, until=TEN).calls
    return call


def with_answer(answer: Answer, *, steps: str = COUPON, until: int = at("10:30")) -> Verdict:
    return happens(journey(steps), GO, answer, until=until)


def test_a_call_carries_its_arguments_worked_out_and_its_time_out() -> None:
    go = an_event("Go", TEN, cart="k1")
    verdict = happens(journey(COUPON), go, until=TEN)
    [call] = verdict.calls
    assert ("coupons.issue", {"percent": 10, "cart": "k1"}) == (call.connector, call.arguments)
    assert (TEN, at("10:05")) == (call.decided_at, call.expires_at)
    assert [("entered", None, TEN), ("call", "coupon", TEN)] == told(verdict)
    assert {"connector": "coupons.issue"} == verdict.journal[-1].detail


def test_the_run_goes_on_with_the_answer_in_its_context() -> None:
    verdict = with_answer(an_answer(asked(), at("10:01"), data={"code": "TEN"}))
    assert [("answered", "coupon", at("10:01")), ("send", "mail", at("10:01"))] == told(verdict)[2:4]
    assert {"code": "TEN"} == verdict.commands[0].data["context"]["coupon"]
    assert () == verdict.states["u:c1"].pending[1:], "only the message is pending"


def test_no_answer_in_time_fails_the_call_and_the_run_goes_on() -> None:
    verdict = happens(journey(COUPON), GO, until=at("10:06"))
    assert ("answered", "timeout", at("10:05")) == told(verdict)[2]
    assert ("send", "mail", at("10:05")) == told(verdict)[3]
    assert "coupon" not in verdict.commands[0].data["context"]


def test_an_error_ends_the_run_where_the_step_says_exit() -> None:
    steps = COUPON.replace("timeout: 5m", "on_fail: exit")
    verdict = with_answer(an_answer(asked(), at("10:01"), error="refused", detail="HTTP 400"), steps=steps)
    assert [("answered", "refused", at("10:01")), ("exited", "call_failed", at("10:01"))] == told(verdict)[2:]
    assert [] == verdict.commands


def test_a_late_answer_changes_nothing_and_is_noted() -> None:
    verdict = with_answer(an_answer(asked(), at("10:07"), data={"code": "TEN"}))
    assert ("answered", "late_answer", at("10:07")) == told(verdict)[-1]
    assert 1 == len(verdict.commands)
    assert "coupon" not in verdict.commands[0].data["context"]


def test_a_repeated_answer_is_a_duplicate() -> None:
    answer = an_answer(asked(), at("10:01"), data={"code": "TEN"})
    once = with_answer(answer)
    assert once.journal == happens(journey(COUPON), GO, answer, answer, until=at("10:30")).journal


def test_an_exit_calls_the_unsettled_call_back() -> None:
    left = journey(COUPON, more="exit: [{reason: bought, event: Order Completed}]")
    verdict = happens(left, GO, an_event("Order Completed", at("10:02")), until=at("10:30"))
    assert [asked().command_id] == [cancel.command_id for cancel in verdict.cancels]
    assert ("exited", "bought", at("10:02")) == told(verdict)[-1]


def test_a_call_asks_for_neither_consent_nor_caps_nor_quiet_hours() -> None:
    quiet = 'topic: other, quiet_hours: {from: "00:00", to: "23:59"}, frequency_cap: [{max: 1, per: 1d}]'
    call = asked(policy=f"{{{quiet}}}")
    assert ("marketing", TEN) == (call.purpose, call.decided_at)


def test_the_time_out_of_a_late_events_call_counts_from_its_decision() -> None:
    late = an_event("Go", TEN, received=at("11:00"))
    [call] = happens(journey(COUPON), late, until=at("11:00")).calls
    assert (at("11:00"), at("11:05")) == (call.decided_at, call.expires_at)


def test_an_answer_is_an_event_that_journeys_can_ask_for() -> None:
    alarm = journey("- {id: rest, wait: {for: 1h}}", name="alarm", trigger="Call Failed")
    verdict = happens((journey(COUPON), alarm), GO, an_answer(asked(), at("10:01"), error="refused"), until=at("10:02"))
    assert {"connector": "coupons.issue", "reason": "refused", "journey": "trip", "step": "coupon"} == next(
        run.event["properties"] for run in verdict.states["u:c1"].runs if run.journey == "alarm"
    )


def test_each_visit_is_a_call_of_its_own() -> None:
    steps = (
        "- {id: ask, call: {connector: crm}}\n- {id: rest, wait: {for: 1h}}\n"
        "- {id: again, goto: {step: ask, max_visits: 2}}"
    )
    calls = happens(journey(steps), GO, until=at("13:00")).calls
    assert 2 == len({call.command_id for call in calls})
    assert [TEN, at("11:01")] == [call.decided_at for call in calls]


def test_a_run_that_raises_with_its_answer_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    answer = an_answer(asked(), at("10:01"), data=1)
    monkeypatch.setattr("services.evaluator.core.steps.send", broken)
    verdict = with_answer(answer)
    assert ("exited", "error", at("10:01")) == told(verdict)[-1]
    assert () == verdict.states["u:c1"].runs


def test_a_row_of_the_last_release_can_still_be_read() -> None:
    """The new fields of a run stand at its end and have defaults."""
    verdict = happens(journey("- {id: rest, wait: {for: 1h}}"), GO, until=TEN)
    raw = msgspec.msgpack.decode(msgspec.msgpack.encode(verdict.states["u:c1"]))
    fields = list(ContactState.__struct_fields__)
    [run] = raw[fields.index("runs")]
    raw[fields.index("runs")] = [run[:15]]
    [old] = msgspec.convert(raw, ContactState).runs
    assert (0, 0, {}, {}) == (old.hops, old.hops_since, old.passed, old.gathered)
