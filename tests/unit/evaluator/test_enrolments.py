"""``type: api`` and ``enrol``: a run that is asked for, with the context that it begins with."""

from __future__ import annotations

from services.evaluator.core.own_events import MOST_HOPS
from services.evaluator.core.recent import events_of
from shared.clock import DAY, HOUR
from shared.journeys.model import Journey
from tests.builders import a_journey, an_enrolment, an_event, at
from tests.unit.evaluator.playing import GO, happens, journey, told

TEN = at("10:00")


def enrolled(
    name: str = "win", steps: str = "- {id: rest, wait: {for: 1h}}", *, where: str = "", more: str = ""
) -> Journey:
    trigger = f"{{type: api{where}}}"
    head = f"schema: journey/v1\nid: {name}\nversion: 3\ntrigger: {trigger}\npolicy: {{purpose: transactional}}\n"
    return a_journey(f"{head}{more}steps:\n" + "".join(f"  {line}\n" for line in steps.splitlines()))


def test_an_enrolment_starts_a_run_with_its_context() -> None:
    made = enrolled(more="context: {loud: context.name + '!', name_too: event.properties.name}\n")
    verdict = happens(made, an_enrolment("win", TEN, name="Kettle"), until=TEN)
    [run] = verdict.states["u:c1"].runs
    assert {"name": "Kettle", "loud": "Kettle!", "name_too": "Kettle"} == run.context
    assert ("Enrolled", {"name": "Kettle"}) == (run.event["name"], run.event["properties"])
    assert [("entered", None, TEN)] == told(verdict)


def test_a_repeated_enrolment_is_a_duplicate() -> None:
    twice = [an_enrolment("win", TEN, key="k1"), an_enrolment("win", at("10:20"), key="k1")]
    assert [("entered", None, TEN)] == told(happens(enrolled(), *twice, until=at("10:30")))


def test_what_cannot_be_entered_is_in_the_journal() -> None:
    for made, name in ((enrolled(), "other"), (journey("- {id: rest, wait: {for: 1h}}"), "trip")):
        verdict = happens(made, an_enrolment(name, TEN), until=TEN)
        assert [("not_entered", "unknown_journey", TEN)] == told(verdict)
        assert name == verdict.journal[0].journey


def test_a_where_that_is_false_is_told_since_nobody_else_answers() -> None:
    made = enrolled(where=", where: event.properties.total > 10")
    assert [("not_entered", "filter_false", TEN)] == told(happens(made, an_enrolment("win", TEN, total=5), until=TEN))


def test_an_enrolment_is_no_event_of_the_contact() -> None:
    """It is counted, waited for and listened to by nobody."""
    listening = journey("- {id: rest, wait: {for: 1h}}", trigger="Enrolled")
    verdict = happens((enrolled(), listening), an_enrolment("win", TEN), until=TEN)
    assert ["win"] == [run.journey for run in verdict.states["u:c1"].runs]
    assert ["Identified", "Consent Granted"] == [name for name, _ in events_of(verdict.states["u:c1"].lately)]


def test_update_context_takes_the_new_context_and_keeps_what_the_run_has() -> None:
    made = enrolled(more="entry: {on_retrigger: update_context}\n")
    wishes = (
        an_enrolment("win", TEN, key="k1", name="Kettle", size=1),
        an_enrolment("win", at("10:10"), key="k2", size=2),
    )
    [run] = happens(made, *wishes, until=at("10:20")).states["u:c1"].runs
    assert {"name": "Kettle", "size": 2} == run.context


ASK = "- {id: ask, enrol: {journey: win, context: {cart: {expr: event.properties.cart}, from: trip}}}"


def test_enrol_lets_the_contact_enter_another_journey() -> None:
    verdict = happens((journey(ASK), enrolled()), an_event("Go", TEN, cart="k1"), until=at("10:30"))
    assert [("trip", "entered"), ("trip", "enrol"), ("trip", "exited"), ("win", "entered")] == [
        (record.journey, record.decision) for record in verdict.journal
    ]
    [run] = verdict.states["u:c1"].runs
    assert ({"cart": "k1", "from": "trip"}, 1) == (run.context, run.hops)
    assert {"journey": "win", "message_id": verdict.events[0].message_id} == verdict.journal[1].detail


def circle(wait: str) -> tuple[Journey, ...]:
    """Return two journeys that enrol each other, with ``wait`` before each wish."""
    steps = [f"- {{id: rest, wait: {{for: {wait}}}}}\n- {{id: ask, enrol: {{journey: {other}}}}}" for other in "ba"]
    first = "- {id: begin, enrol: {journey: a}}"
    return (journey(first), enrolled("a", steps[0]), enrolled("b", steps[1]))


def test_journeys_that_enrol_each_other_across_waits_stop() -> None:
    """The count of hops goes along with the run, so that a wait does not hide the circle."""
    verdict = happens(circle("1m"), GO, until=at("23:00"))
    assert MOST_HOPS == len(verdict.events)
    assert "emit_loop" == [record.reason for record in verdict.journal if record.decision == "skip"][-1]


def test_a_circle_that_takes_longer_than_a_day_for_ten_is_a_plan() -> None:
    """A monthly loop goes on: only the hops of one day count."""
    verdict = happens(circle("3h"), GO, until=TEN + 4 * DAY)
    assert [] == [record for record in verdict.journal if record.reason == "emit_loop"]
    assert 4 * DAY // (3 * HOUR) <= len(verdict.events)


def test_journeys_that_emit_each_others_events_across_waits_stop_too() -> None:
    ping = journey("- {id: rest, wait: {for: 1m}}\n- {id: say, emit: {event: Pong}}", name="ping", trigger="Ping")
    pong = journey("- {id: rest, wait: {for: 1m}}\n- {id: say, emit: {event: Ping}}", name="pong", trigger="Pong")
    assert MOST_HOPS == len(happens((ping, pong), an_event("Ping", TEN), until=at("23:00")).events)


def test_a_run_that_waits_for_its_own_echo_stops() -> None:
    """The hops of the event that a ``wait_for`` was met by go on counting in the run."""
    steps = (
        "- {id: say, emit: {event: Ping}}\n- {id: hear, wait_for: {any: [{id: pong, event: Pong}]}}\n"
        "- {id: rest, wait: {for: 1m}}\n- {id: again, goto: {step: say, max_visits: 100}}"
    )
    echo = journey("- {id: rest, wait: {for: 1m}}\n- {id: say, emit: {event: Pong}}", name="echo", trigger="Ping")
    assert MOST_HOPS == len(happens((journey(steps), echo), GO, until=at("23:00")).events)
