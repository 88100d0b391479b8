"""Which message a conversion is credited to: ``attribution: last_send``, ``last_click`` and ``any_send``."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core import send
from shared.messages.event import Event
from shared.messages.outcome import OutcomeStatus
from tests.builders import an_event, an_outcome, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey

STEPS = "- {id: one, MAIL}\n- {id: pause, wait: {for: 1h}}\n- {id: two, MAIL}\n- {id: rest, wait: {for: 9d}}"
"""Messages at 10:00 and at 11:00."""


def buying(attribution: str, *events: Event, bought: int = at("12:00"), window: str = "1d") -> Verdict:
    goal = f"{{id: sale, event: Order Completed, window: {window}, attribution: {attribution}}}"
    trip = journey(STEPS, more=f"goals: [{goal}]\nentry: {{reentry: {{mode: always}}}}")
    order = an_event("Order Completed", bought)
    messages = sorted((GO, *events, order), key=lambda event: event.received_at)
    return happens(trip, *messages, until=at("12:00", day=8), deliver=True)


def credited(verdict: Verdict) -> list[str | None]:
    return [record.step for record in verdict.journal if record.decision == "converted"]


def clicked(step: str, when: int, **more: str) -> Event:
    properties = {"journey": "trip", "step": step, **more}
    return msgspec.structs.replace(an_event("Message Clicked", when), properties=properties)


def test_last_send_credits_the_last_message_before_the_event() -> None:
    assert ["two"] == credited(buying("last_send"))
    assert ["one"] == credited(buying("last_send", bought=at("10:30")))


def test_what_a_message_that_never_left_is_not_credited_with_goes_to_the_one_before_it() -> None:
    """Both are decided, the order comes, and only then it is known what became of them."""
    trip = journey(STEPS, more="goals: [{id: sale, event: Order Completed, value: event.properties.total}]")
    bought = an_event("Order Completed", at("12:00"), total=7)
    one, two = happens(trip, GO, bought, until=at("12:01")).commands

    def settled(first: OutcomeStatus, second: OutcomeStatus) -> list[tuple[str | None, float | None]]:
        outcomes = (an_outcome(one, first, at("11:30")), an_outcome(two, second, at("12:30")))
        verdict = happens(trip, GO, outcomes[0], bought, outcomes[1], until=at("13:00"))
        return [(it.step, it.value) for it in verdict.journal if it.decision == "converted"]

    assert [("one", 7.0)] == settled("sent", "skipped")
    assert [("one", 7.0)] == settled("sent", "sent"), "the second left after the order"
    assert [] == settled("failed", "failed")


def test_last_click_credits_the_last_message_that_was_clicked() -> None:
    assert ["one"] == credited(buying("last_click", clicked("one", at("11:30"))))
    assert ["two"] == credited(buying("last_click", clicked("one", at("11:30")), clicked("two", at("11:40"))))
    assert ["one"] == credited(buying("last_click", clicked("two", at("11:30")), clicked("one", at("11:40"))))


def test_without_a_click_there_is_no_credit() -> None:
    assert [] == credited(buying("last_click"))
    elsewhere = an_event("Message Clicked", at("11:30"), journey="other", step="one")
    assert [] == credited(buying("last_click", elsewhere))


def test_a_click_after_the_event_does_not_count() -> None:
    """Also when the event arrives after it."""
    late = an_event("Order Completed", at("11:30"), received=at("11:50"))
    goal = "goals: [{id: sale, event: Order Completed, attribution: last_click}]"
    verdict = happens(journey(STEPS, more=goal), GO, clicked("two", at("11:40")), late, until=at("12:00"), deliver=True)
    assert [] == credited(verdict)
    verdict = happens(journey(STEPS, more=goal), GO, clicked("two", at("11:20")), late, until=at("12:00"), deliver=True)
    assert ["two"] == credited(verdict)


@pytest.mark.parametrize(("bought", "expected"), [(at("10:29", day=2), ["one"]), (at("10:30", day=2), [])])
def test_the_window_of_last_click_runs_from_the_click(bought: int, expected: list[str]) -> None:
    """Two days after the message, one day after the click."""
    assert expected == credited(buying("last_click", clicked("one", at("10:30", day=1)), bought=bought))


def test_a_click_is_known_by_the_command_as_well() -> None:
    first = buying("last_click").commands[0]
    click = an_event("Message Clicked", at("11:30"), command_id=first.command_id)
    assert ["one"] == credited(buying("last_click", click))
    unknown = an_event("Message Clicked", at("11:30"), command_id="no such command")
    assert [] == credited(buying("last_click", unknown))


def test_a_click_names_its_run_where_there_are_several() -> None:
    again = an_event("Go", at("10:01"))
    first = buying("last_click", again).commands[0]
    verdict = buying("last_click", again, clicked("one", at("11:30"), run_id=first.run_id))
    assert [first.run_id] == [record.run for record in verdict.journal if record.decision == "converted"]


def test_any_send_credits_each_run_once_by_its_last_message() -> None:
    verdict = buying("any_send", an_event("Go", at("10:01")))
    found = [record for record in verdict.journal if record.decision == "converted"]
    assert ["two", "two"] == [record.step for record in found]
    assert 2 == len({record.run for record in found})
    assert 1 == len(credited(buying("last_send", an_event("Go", at("10:01")))))


def test_a_run_is_credited_once_whatever_the_attribution() -> None:
    second = an_event("Order Completed", at("12:30"))
    click = clicked("one", at("11:30"))
    for attribution in ("last_send", "last_click", "any_send"):
        assert 1 == len(credited(buying(attribution, click, second)))


def test_only_so_many_clicks_on_one_message_are_kept() -> None:
    clicks = [
        msgspec.structs.replace(clicked("one", at("11:30") + number), message_id=f"click {number}")
        for number in range(25)
    ]
    state = buying("last_click", *clicks, window="3d").states["u:c1"]
    [touch] = [touch for touch in state.touches if touch.clicks]
    assert [at("11:30") + number for number in range(5, 25)] == list(touch.clicks)


def test_only_so_many_messages_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A goal finds the last ones; one contact's thousands of messages do not fill its row."""
    monkeypatch.setattr(send, "TOUCHES_AT_MOST", 3)
    again = [an_event("Go", at("10:00") + number, message_id=f"go {number}") for number in range(5)]
    goal = "goals: [{id: sale, event: Order Completed, window: 7d, attribution: any_send}]"
    trip = journey("- {id: one, MAIL}", more=f"{goal}\nentry: {{reentry: {{mode: always}}}}")
    verdict = happens(trip, *again, an_event("Order Completed", at("11:00")), until=at("12:00"), deliver=True)
    sends = [record.run for record in verdict.journal if record.decision == "send"]
    assert 5 == len(sends)
    assert sends[2:] == [record.run for record in verdict.journal if record.decision == "converted"]


def test_a_run_that_sends_again_is_not_credited_again() -> None:
    """Once per run, as the page says: the second purchase finds a message that the first has not credited."""
    steps = "- {id: one, MAIL}\n- {id: pause, wait: {for: 1d}}\n- {id: two, MAIL}\n- {id: rest, wait: {for: 9d}}"
    goal = "goals: [{id: bought, event: Order Completed, window: 7d}]"
    bought = [an_event("Order Completed", at("11:00", day=day)) for day in (0, 1)]
    verdict = happens(journey(steps, more=goal), GO, *bought, until=at("12:00", day=1), deliver=True)
    assert ["one"] == [record.step for record in verdict.journal if record.decision == "converted"]


def test_value_is_noted_with_the_conversion_and_a_primary_goal_stops_no_other() -> None:
    goals = """
        goals:
          - {id: sale, primary: true, event: Order Completed, value: event.properties.total}
          - {id: first_sale, event: Order Completed, where: event.properties.number == 1}
    """
    order = an_event("Order Completed", at("10:30"), total=1200, number=1)
    verdict = happens(journey(STEPS, more=goals), GO, order, until=at("10:31"), deliver=True)
    noted = [(it.goal, it.value) for it in verdict.journal if it.decision == "converted"]
    assert [("sale", 1200), ("first_sale", None)] == noted
