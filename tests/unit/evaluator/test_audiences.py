"""Audiences: who is in one, from which millisecond on, and what follows when a contact comes and goes."""

from __future__ import annotations

from textwrap import dedent

import pytest

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.occurrence import Adopted, EventArrived
from services.evaluator.core.state import ContactState
from shared.journeys.audiences import parse_audience
from shared.journeys.model import Audience, Journey
from shared.journeys.parse import parse_journey
from shared.journeys.workspace import Surroundings
from shared.messages.event import Event
from tests.builders import a_record, an_event, at, consented, identified
from tests.oracle import Verdict, play
from tests.unit.evaluator.playing import journey, sends, told


def an_audience(name: str, where: str) -> Audience:
    return parse_audience(f"audiences/{name}.yaml", f"schema: audience/v1\nid: {name}\nwhere: {where}\n")


BUYERS = an_audience("buyers", "{performed: {event: Bought, within: 7d}}")
QUIET = an_audience("quiet", "{not: {performed: {event: Browsed, within: 1d}}}")
VIP = an_audience("vip", "contact.vip == true")
RICH = an_audience("rich", "{all: [{in_audience: vip}, {in_audience: buyers}]}")
SPENDERS = an_audience(
    "spenders", '{aggregate: {event: Bought, fn: sum, field: event.properties.total, within: 30d, is: ">= 100"}}'
)
SUBSCRIBERS = an_audience("subscribers", "{consent: {topic: news}}")
AUDIENCES = (RICH, BUYERS, QUIET, VIP, SPENDERS, SUBSCRIBERS)


def on_edge(audience: str, edge: str = "entered", *, name: str = "", more: str = "", steps: str = "") -> Journey:
    """Return a journey that the edge starts; without steps it ends at once and may start again."""
    text = dedent(
        f"""
        schema: journey/v1
        id: {name or f"{audience}_{edge}"}
        version: 1
        trigger: {{type: audience, audience: {audience}, edge: {edge}}}
        policy: {{purpose: transactional}}
        """
    )
    around = Surroundings(audiences=frozenset(one.id for one in AUDIENCES))
    body = dedent(more) + "steps:\n" + (dedent(steps).strip("\n") or "  - {id: done, exit: {reason: done}}") + "\n"
    return parse_journey("journey.yaml", text + body, around)


def happens(*given: Journey | Event, until: int) -> Verdict:
    journeys = [one for one in given if isinstance(one, Journey)]
    events = [one for one in given if isinstance(one, Event)]
    log = [a_record(number, event) for number, event in enumerate(events)]
    return play(journeys, log, until=until, audiences=AUDIENCES)


def both(audience: str) -> tuple[Journey, Journey]:
    return on_edge(audience), on_edge(audience, "left")


def edges(verdict: Verdict) -> list[tuple[str, int]]:
    return [(record.journey, record.at) for record in verdict.journal if record.decision == "entered"]


def bought(when: int, total: int = 1, *, received: int | None = None) -> Event:
    return an_event("Bought", when, received=received, total=total)


def test_an_audience_is_entered_at_the_event_and_left_when_its_window_closes() -> None:
    """Exactly seven days after the purchase it no longer counts."""
    verdict = happens(*both("buyers"), bought(at("10:00")), until=at("10:00", day=30))
    assert [("buyers_entered", at("10:00")), ("buyers_left", at("10:00", day=7))] == edges(verdict)


def test_another_event_in_the_window_moves_its_end() -> None:
    events = bought(at("10:00")), bought(at("12:00", day=3))
    verdict = happens(*both("buyers"), *events, until=at("10:00", day=30))
    assert [("buyers_entered", at("10:00")), ("buyers_left", at("12:00", day=10))] == edges(verdict)


def test_an_aggregate_falls_when_what_it_needs_is_too_old() -> None:
    events = bought(at("10:00"), 60), bought(at("10:00", day=1), 60), bought(at("10:00", day=2), 50)
    verdict = happens(*both("spenders"), *events, until=at("10:00", day=90))
    assert [("spenders_entered", at("10:00", day=1)), ("spenders_left", at("10:00", day=31))] == edges(verdict)


def test_traits_are_judged_when_they_are_told() -> None:
    events = identified(at("10:00"), vip=True), identified(at("11:00"), name="A"), identified(at("12:00"), vip=False)
    verdict = happens(*both("vip"), *events, until=at("13:00"))
    assert [("vip_entered", at("10:00")), ("vip_left", at("12:00"))] == edges(verdict)


def test_consent_is_judged_when_it_is_stated() -> None:
    events = consented(at("10:00"), "news"), consented(at("11:00"), "news", "revoked")
    verdict = happens(*both("subscribers"), *events, until=at("12:00"))
    assert [("subscribers_entered", at("10:00")), ("subscribers_left", at("11:00"))] == edges(verdict)


def test_what_holds_for_everybody_is_entered_at_first_sight() -> None:
    """And left at the first visit, entered again a day after the last."""
    events = identified(at("10:00")), an_event("Browsed", at("11:00")), an_event("Browsed", at("12:00"))
    verdict = happens(*both("quiet"), *events, until=at("12:00", day=3))
    expected = [("quiet_entered", at("10:00")), ("quiet_left", at("11:00")), ("quiet_entered", at("12:00", day=1))]
    assert expected == edges(verdict)


def test_an_audience_may_ask_about_others_which_come_first() -> None:
    events = identified(at("10:00"), vip=True), bought(at("11:00")), bought(at("12:00", day=20))
    late = identified(at("13:00", day=20), vip=False)
    verdict = happens(*both("rich"), *events, late, until=at("10:00", day=30))
    assert [
        ("rich_entered", at("11:00")),
        ("rich_left", at("11:00", day=7)),
        ("rich_entered", at("12:00", day=20)),
        ("rich_left", at("13:00", day=20)),
    ] == edges(verdict)


def test_who_leaves_the_audience_leaves_the_journey() -> None:
    inside = on_edge(
        "buyers",
        more="exit: [{reason: cooled_down, audience_left: buyers}]\n",
        steps="""
          - {id: hello, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}
          - {id: rest, wait: {for: 30d}}
        """,
    )
    known = identified(at("08:00"), email="a@example.jp")
    verdict = happens(inside, known, bought(at("10:00")), until=at("10:00", day=30))
    assert [("hello", at("10:00"))] == sends(verdict)
    assert ("exited", "cooled_down", at("10:00", day=7)) == told(verdict)[-1]


def test_a_run_that_waits_hears_of_an_audience() -> None:
    waits = on_edge(
        "buyers",
        steps="""
          - id: hear
            wait_for:
              any:
                - {id: out, event: Audience Left, where: event.properties.audience == 'buyers', then: [
                    {id: gone, exit: {reason: gone}}]}
                - {id: in, if: {in_audience: vip}, then: [{id: risen, exit: {reason: risen}}]}
        """,
    )
    assert ("exited", "gone", at("10:00", day=7)) == told(
        happens(waits, bought(at("10:00")), until=at("10:00", day=9))
    )[-1]
    events = bought(at("10:00")), identified(at("11:00"), vip=True)
    assert ("exited", "risen", at("11:00")) == told(happens(waits, *events, until=at("10:00", day=9)))[-1]


def test_a_journey_may_be_triggered_by_the_event_of_an_edge() -> None:
    told_of = on_edge("vip", name="other")
    listens = journey("- {id: done, exit: {reason: done}}", trigger="Audience Entered")
    verdict = happens(told_of, listens, identified(at("10:00"), vip=True), until=at("11:00"))
    assert [("other", at("10:00")), ("trip", at("10:00"))] == edges(verdict)


def test_an_event_from_outside_with_the_name_of_an_edge_is_no_edge() -> None:
    said = an_event("Audience Entered", at("10:00"), audience="buyers")
    assert [] == edges(happens(on_edge("buyers"), said, until=at("11:00")))


def test_what_an_update_changes_is_judged_at_once() -> None:
    promote = journey("- {id: promote, update: {set: {vip: true}}}", name="promote", trigger="Bought")
    verdict = happens(promote, *both("rich"), bought(at("10:00")), until=at("10:00", day=9))
    assert [
        ("promote", at("10:00")),
        ("rich_entered", at("10:00")),
        ("rich_left", at("10:00", day=7)),
    ] == edges(verdict)


def test_journeys_that_put_a_contact_in_and_out_in_a_circle_stop() -> None:
    entry = "entry: {reentry: {mode: always}}\n"
    to_out = on_edge("vip", more=entry, steps="  - {id: down, update: {set: {vip: false}}}")
    to_in = on_edge("vip", "left", more=entry, steps="  - {id: up, update: {set: {vip: true}}}")
    verdict = happens(to_out, to_in, identified(at("10:00"), vip=True), until=at("11:00"))
    assert 20 == len(edges(verdict))
    assert ("not_entered", "audience_loop", at("10:00")) == told(verdict)[-1]
    assert 20 == len({record.run for record in verdict.journal if record.decision == "entered"})


def test_only_audiences_that_some_journey_asks_for_are_kept() -> None:
    verdict = happens(on_edge("rich"), bought(at("10:00")), until=at("10:01"))
    state = verdict.states["u:c1"]
    assert {"vip": False, "buyers": True, "rich": False} == state.audiences
    assert {"@audience/buyers"} == set(state.watches)
    quiet = journey("- {id: rest, wait: {for: 1h}}", trigger="Bought")
    state = happens(quiet, bought(at("10:00")), until=at("10:01")).states["u:c1"]
    assert ({}, {}, {}) == (state.audiences, state.watches, state.history)


def test_an_event_that_comes_late_says_who_is_in_the_audience_now() -> None:
    """Bought eight days ago: it was a week, and it is over. Bought six days ago: one day is left."""
    now = at("10:00", day=20)
    over = happens(*both("buyers"), bought(at("10:00", day=12), received=now), until=at("10:00", day=60))
    assert [] == edges(over)
    left = happens(*both("buyers"), bought(at("10:00", day=14), received=now), until=at("10:00", day=60))
    assert [("buyers_entered", now), ("buyers_left", at("10:00", day=21))] == edges(left)


def test_what_follows_from_an_event_of_the_same_day_has_its_time() -> None:
    verdict = happens(on_edge("buyers"), bought(at("10:00"), received=at("12:00")), until=at("13:00"))
    assert [("buyers_entered", at("10:00"))] == edges(verdict)


def test_the_journey_of_a_higher_priority_is_entered_first() -> None:
    first = on_edge("buyers", name="z_first", more="entry: {priority: 90}\n")
    verdict = happens(on_edge("buyers", name="a_second"), first, bought(at("10:00")), until=at("10:01"))
    assert ["z_first", "a_second"] == [name for name, _ in edges(verdict)]


@pytest.mark.parametrize("repeated", [False, True])
def test_a_repeat_of_the_log_changes_nothing(repeated: bool) -> None:
    events = bought(at("10:00"), 60), bought(at("10:00", day=1), 60)
    verdict = happens(*both("spenders"), *events, *(events if repeated else ()), until=at("10:00", day=90))
    assert 2 == len(edges(verdict))


def test_windows_that_close_at_one_moment_close_together() -> None:
    """``odd`` asks two audiences that change at once: in between it would be left and entered again."""
    other = an_audience("quiet", "{performed: {event: Bought, within: 7d}}")
    odd = an_audience("rich", "{any: [{in_audience: buyers}, {not: {in_audience: quiet}}]}")
    log = [a_record(0, bought(at("10:00")))]
    verdict = play(both("rich"), log, until=at("10:00", day=30), audiences=(odd, other, BUYERS))
    assert [("rich_entered", at("10:00"))] == edges(verdict)


def test_a_contact_that_is_known_has_not_come_into_an_audience_that_is_new() -> None:
    """It is in it or not from the adoption on; later comings and goings count."""
    old = build_catalog([journey("- {id: rest, wait: {for: 1h}}", trigger="Bought")], audiences=AUDIENCES)
    new = build_catalog(both("quiet"), audiences=AUDIENCES)
    assert old.number != new.number
    state = advance(old, ContactState(contact="u:c1"), EventArrived(bought(at("10:00")), at("10:00"))).state
    assert {} == state.audiences
    adopted = advance(new, state, Adopted(at("11:00")))
    assert ({"quiet": True}, ()) == (adopted.state.audiences, adopted.journal)
    left = advance(new, adopted.state, EventArrived(an_event("Browsed", at("12:00")), at("12:00")))
    assert ["quiet_left"] == [record.journey for record in left.journal if record.decision == "entered"]
    gone = advance(old, left.state, Adopted(at("13:00"))).state
    assert ({}, {}) == (gone.audiences, gone.watches)
