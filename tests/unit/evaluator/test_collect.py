"""``collect``: the events of a time, for one message."""

from __future__ import annotations

from typing import Any

from services.evaluator.core.gathering import EVENT_BYTES, bounded
from shared.messages.event import Event
from tests.builders import an_event, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, happens, journey, sends

MAIL = "- {id: mail, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}"


def collecting(words: str = "for: 1h", *, trigger: str = "Go", more: str = "") -> Any:
    step = f"- {{id: gather, collect: {{event: Viewed, save_as: seen, {words}}}}}"
    return journey(f"{step}\n{MAIL}", trigger=trigger, more=more)


def viewed(clock: str, name: str, /, **more: Any) -> Event:
    return an_event("Viewed", at(clock), name=name, **more)


def names(verdict: Verdict) -> list[str]:
    [command] = verdict.commands
    return [item["name"] for item in command.data["context"]["seen"]]


def test_what_happens_in_the_time_is_kept_for_the_message() -> None:
    before, late = viewed("09:59", "Before"), viewed("11:01", "Late")
    verdict = happens(
        collecting(), before, GO, viewed("10:10", "Kettle"), viewed("10:20", "Teapot"), late, until=at("12:00")
    )
    assert ["Kettle", "Teapot"] == names(verdict)
    assert [("mail", at("11:00"))] == sends(verdict)
    assert {} == verdict.states["u:c1"].ended[0].gathered


def test_nothing_is_an_empty_list() -> None:
    assert [] == names(happens(collecting(), GO, until=at("12:00")))


def test_the_event_of_the_entry_counts() -> None:
    verdict = happens(
        collecting(trigger="Viewed"), viewed("10:00", "Kettle"), viewed("10:10", "Teapot"), until=at("12:00")
    )
    assert ["Kettle", "Teapot"] == names(verdict)


def test_of_one_value_of_by_the_last_is_kept() -> None:
    seen = [viewed("10:01", "Kettle", sku=1), viewed("10:02", "Teapot", sku=2), viewed("10:03", "Kettle, red", sku=1)]
    verdict = happens(collecting("for: 1h, by: event.properties.sku"), GO, *seen, until=at("12:00"))
    assert ["Teapot", "Kettle, red"] == names(verdict)


def test_events_without_the_value_of_by_are_all_kept() -> None:
    seen = [viewed("10:01", "Kettle"), viewed("10:02", "Teapot")]
    assert ["Kettle", "Teapot"] == names(
        happens(collecting("for: 1h, by: event.properties.sku"), GO, *seen, until=at("12:00"))
    )


def test_it_ends_when_as_many_are_there_as_are_wanted() -> None:
    seen = [viewed(f"10:0{number}", str(number)) for number in range(1, 5)]
    verdict = happens(collecting("for: 1h, max: 2"), GO, *seen, until=at("12:00"))
    assert (["1", "2"], [("mail", at("10:02"))]) == (names(verdict), sends(verdict))


def test_the_entry_alone_can_be_enough() -> None:
    verdict = happens(collecting("for: 1h, max: 1", trigger="Viewed"), viewed("10:00", "Kettle"), until=at("12:00"))
    assert [("mail", at("10:00"))] == sends(verdict)


def test_an_event_of_before_the_step_that_comes_late_does_not_count() -> None:
    late = an_event("Viewed", at("09:50"), received=at("10:10"), name="Early")
    assert [] == names(happens(collecting(), GO, late, until=at("12:00")))


def test_a_second_visit_begins_anew() -> None:
    steps = (
        "- {id: gather, collect: {event: Viewed, save_as: seen, for: 1h}}\n"
        + MAIL
        + "\n- {id: again, goto: {step: gather, max_visits: 2}}"
    )
    verdict = happens(
        journey(steps, trigger="Viewed"), viewed("10:00", "Kettle"), viewed("11:30", "Teapot"), until=at("13:00")
    )
    assert [["Kettle"], ["Teapot"]] == [
        [it["name"] for it in command.data["context"]["seen"]] for command in verdict.commands
    ]


def test_what_is_too_large_keeps_what_fits() -> None:
    large = {"name": "Kettle", "text": "x" * EVENT_BYTES, "price": 9}
    assert {"name": "Kettle", "price": 9} == bounded(large)
    assert {"name": "Kettle", "price": 9} == bounded({"name": "Kettle", "price": 9})


def test_an_exit_ends_it() -> None:
    bought = an_event("Order Completed", at("10:10"))
    made = collecting(more="exit: [{reason: bought, event: Order Completed}]")
    verdict = happens(made, GO, viewed("10:05", "Kettle"), bought, until=at("12:00"))
    assert ([], ()) == (verdict.commands, verdict.states["u:c1"].runs)
