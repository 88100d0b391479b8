"""What looks across contacts, decided by the journey's own row: ``limit``, ``rate`` and the winner of an experiment."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cli.simulator.engine import Arrival, Simulator, simulate
from services.evaluator.core.advance import advance, next_timer
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.own_events import MOST_HOPS
from services.evaluator.core.recent import recent_of
from services.evaluator.core.state import ContactState
from shared.clock import MINUTE
from shared.journeys.model import Audience, AudienceTrigger, Journey
from shared.journeys.predicate import Expression
from shared.messages.coordination import Ask, Reply
from shared.messages.topics import EVENTS
from tests.builders import an_event, at, identified
from tests.unit.evaluator.hosts import Host
from tests.unit.evaluator.playing import journey

REST = "- {id: rest, wait: {for: 1d}}"


def did(name: str, clock: str, contact: str, *, day: int = 0) -> Arrival:
    return arrival(name, at(clock, day=day), contact, f"{contact}-{name}-{day}-{clock}")


def arrival(name: str, when: int, contact: str, message_id: str = "", **traits: object) -> Arrival:
    event = an_event(name, when, message_id=message_id or f"{contact}-{name}@{when}")
    kind: Any = "identify" if traits else "track"
    return Arrival(when, msgspec.structs.replace(event, user_id=contact, type=kind, traits=traits))


def entries(simulated: Simulator) -> list[tuple[str, str, int]]:
    found = (decided.record for decided in simulated.decided)
    return [
        (it.contact.removeprefix("u:"), it.reason or it.decision, it.at)
        for it in found
        if it.decision in ("entered", "not_entered")
    ]


def limited(rule: str, more: str = "") -> Journey:
    return journey(REST, more=f"entry: {{{rule}}}\n{more}")


def test_limit() -> None:
    """``limit: 2`` lets two contacts in, ever; the third is told why not."""
    simulated = simulate([limited("limit: 2")], [did("Go", f"10:0{n}", f"c{n}") for n in range(3)])
    expected = [("c0", "entered", at("10:00")), ("c1", "entered", at("10:01")), ("c2", "limit", at("10:02"))]
    assert expected == entries(simulated)


def test_rate() -> None:
    """``rate: {max: 2, per: 1h}``: four contacts of one moment enter half an hour apart, by their own first event."""
    simulated = simulate([limited("rate: {max: 2, per: 1h}")], [did("Go", "10:00", f"c{n}") for n in range(4)])
    assert [at("10:00"), at("10:30"), at("11:00"), at("11:30")] == [when for _, _, when in entries(simulated)]
    assert [f"c{n}-Go-0-10:00" for n in range(4)] == [
        decided.record.cause for decided in simulated.decided if decided.record.decision == "entered"
    ]


def test_journeys_that_set_each_other_off_stop_although_the_contact_stands_in_line_for_them() -> None:
    """The chain goes on with what it wanted to enter by: its turn does not hide the circle."""
    ping, pong = (
        journey(
            f"- {{id: rest, wait: {{for: 1m}}}}\n- {{id: say, emit: {{event: {other}}}}}",
            name=name.lower(),
            trigger=name,
            more="entry: {rate: {max: 60, per: 1h}}\n",
        )
        for name, other in (("Ping", "Pong"), ("Pong", "Ping"))
    )
    simulated = simulate([ping, pong], [did("Ping", "10:00", "c1")], until=at("23:00"))
    assert 1 + MOST_HOPS == len(entries(simulated))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30), st.integers(1, 7), st.integers(1, 90))
def test_no_time_of_per_ms_has_more_than_max_entries(times: list[int], most: int, minutes: int) -> None:
    """Wherever it begins; and nobody is lost who waits."""
    arrivals = []
    for number, offset in enumerate(sorted(times)):
        when = at("10:00") + offset * MINUTE
        arrivals.append(arrival("Go", when, f"c{number}"))
    simulated = simulate([limited(f"rate: {{max: {most}, per: {minutes}m}}")], arrivals)
    entered = [when for _, _, when in entries(simulated)]
    assert len(times) == len(entered)
    per = minutes * MINUTE
    assert all(sum(start <= other < start + per for other in entered) <= most for start in entered)


def test_who_waits_for_a_turn_is_not_asked_twice() -> None:
    """A second trigger while in line is ``already_inside``; the turn is kept."""
    again = [did("Go", "10:00", "c0"), did("Go", "10:01", "c1"), did("Go", "10:02", "c1")]
    simulated = simulate([limited("rate: {max: 1, per: 1h}")], again)
    expected = [("c0", "entered", at("10:00")), ("c1", "already_inside", at("10:02")), ("c1", "entered", at("11:00"))]
    assert expected == entries(simulated)


def test_an_exit_takes_out_of_the_line() -> None:
    """Who bought while waiting does not enter: what the journey would have asked for has happened."""
    bought = [did("Go", "10:00", "c0"), did("Go", "10:01", "c1"), did("Order Completed", "10:30", "c1")]
    rules = "exit: [{reason: converted, event: Order Completed}]"
    simulated = simulate([limited("rate: {max: 1, per: 1h}", rules)], bought)
    assert [("c0", "entered", at("10:00")), ("c1", "exited", at("10:30"))] == entries(simulated)


def test_the_entry_condition_is_asked_again_at_the_turn() -> None:
    rule = "rate: {max: 1, per: 1h}, where: {not: {performed: {event: Order Completed, within: 1d}}}"
    bought = [did("Go", "10:00", "c0"), did("Go", "10:01", "c1"), did("Order Completed", "10:30", "c1")]
    found = entries(simulate([limited(rule)], bought))
    assert [("c0", "entered", at("10:00")), ("c1", "filter_false", at("11:00"))] == found


TRIAL = """
- id: test
  experiment:
    salt: subject
    winner: {goal: bought, after: 1d, min_samples: 2}
    variants:
      - {id: a, weight: 1, then: [{id: mail_a, MAIL}]}
      - {id: b, weight: 1, then: [{id: mail_b, MAIL}]}
- {id: rest, wait: {for: 1h}}
"""
BOUGHT = "goals: [{id: bought, event: Order Completed, window: 7d}]\nentry: {reentry: {mode: always}}"


def ways(simulated: Simulator) -> dict[str, str]:
    return {
        decided.record.contact.removeprefix("u:"): str(decided.record.step)
        for decided in simulated.decided
        if decided.record.decision == "send"
    }


def many(clock: str, names: range, day: int = 0) -> list[Arrival]:
    known = [arrival("Identified", at("08:00"), f"c{n}", email=f"c{n}@example.jp") for n in names]
    return [*known, *(did("Go", clock, f"c{n}", day=day) for n in names)]


def test_winner() -> None:
    """The variant with more conversions per contact takes everyone, a day after the first and with samples of both."""
    trial = journey(TRIAL, more=BOUGHT)
    first = many("10:00", range(12))
    drawn = ways(simulate([trial], first))
    assert {"mail_a", "mail_b"} == set(drawn.values())
    losers = [name for name, step in drawn.items() if step == "mail_a"]
    winners = [name for name, step in drawn.items() if step == "mail_b"]
    bought = [did("Order Completed", "11:00", name) for name in (losers[0], *winners)]
    later = many("10:01", range(12, 24), day=1)
    simulated = simulate([trial], [*first, *bought, *later])
    assert {"mail_b"} == {step for name, step in ways(simulated).items() if int(name[1:]) >= 12}
    [decided] = [decided.record for decided in simulated.decided if decided.record.decision == "winner"]
    assert ("j:trip", "test", at("10:01", day=1)) == (decided.contact, decided.step, decided.at)
    assert {
        "contacts": {"a": len(losers), "b": len(winners)},
        "conversions": {"a": 1, "b": len(winners)},
        "variant": "b",
    } == decided.detail


def test_nobody_wins_without_a_conversion() -> None:
    trial = journey(TRIAL, more=BOUGHT)
    simulated = simulate([trial], [*many("10:00", range(12)), *many("10:01", range(12, 24), day=1)])
    assert [] == [decided for decided in simulated.decided if decided.record.decision == "winner"]


def test_after_and_min_samples_both_count() -> None:
    trial = journey(TRIAL, more=BOUGHT)
    bought = did("Order Completed", "11:00", "c0")
    early = simulate([trial], [*many("10:00", range(12)), bought, *many("09:59", range(12, 24), day=1)])
    few = simulate([trial], [*many("10:00", range(2)), bought, *many("10:01", range(2, 3), day=1)])
    for simulated in (early, few):
        assert [] == [decided for decided in simulated.decided if decided.record.decision == "winner"]
    assert {"mail_a", "mail_b"} == set(ways(early).values())


def test_a_run_that_hears_nothing_goes_the_way_of_its_hash() -> None:
    """The row's partition may be down; an hour later the run goes on by itself, and a later answer changes nothing."""
    catalog = build_catalog([journey(TRIAL, more=BOUGHT)])
    arrived = EventArrived(an_event("Go", at("10:00")), at("10:00"))
    asked = advance(catalog, ContactState("u:c1"), arrived)
    [(key, ask)] = asked.posted
    assert ("j:trip", True) == (key, isinstance(ask, Ask))
    due = next_timer(asked.state, at("11:00") + 1)
    assert due is not None
    gone_on = advance(catalog, asked.state, due)
    assert ["rest"] == [run.step for run in gone_on.state.runs]
    [(_, reply)] = advance(catalog, ContactState("j:trip"), EventArrived(ask, at("10:00"))).posted
    late = advance(catalog, gone_on.state, EventArrived(reply, at("11:01")))
    assert gone_on.state.runs == late.state.runs


def test_an_ask_of_a_version_that_is_not_here_yet_is_decided_by_the_newest() -> None:
    catalog = build_catalog([limited("limit: 1")])
    asks = [Ask(message_id=f"{n}", contact=f"u:c{n}", journey="trip", version=2, at=at("10:00")) for n in (1, 2)]
    state, verdicts = ContactState("j:trip"), []
    for ask in asks:
        result = advance(catalog, state, EventArrived(ask, at("10:00")))
        state = result.state
        verdicts += [getattr(reply, "verdict", None) for _, reply in result.posted]
    assert ["granted", "limit"] == verdicts
    nobody = advance(build_catalog([]), ContactState("j:trip"), EventArrived(asks[0], at("10:00")))
    assert ["journey_stopped"] == [getattr(reply, "verdict", None) for _, reply in nobody.posted]


def test_an_ask_that_comes_twice_is_answered_once() -> None:
    catalog = build_catalog([limited("limit: 1")])
    ask = EventArrived(Ask(message_id="1", contact="u:c1", journey="trip", version=1, at=at("10:00")), at("10:00"))
    once = advance(catalog, ContactState("j:trip"), ask)
    twice = advance(catalog, once.state, ask)
    assert (True, ()) == (twice.duplicate, twice.posted)


def test_what_is_posted_goes_to_the_partition_of_its_key() -> None:
    """The contact's own records stay in its partition; the journey's row may live in another."""
    host = Host(limited("limit: 1"))
    epoch = host.processor.process([host.append(an_event("Go", at("10:00")), at("10:00"))], caught_up=True)
    assert [(b"j:trip", None)] == [(output.key, output.partition) for output in epoch.outputs if output.topic == EVENTS]
    assert 1 == host.processor.contacts
    ask = Ask(message_id="1", contact="u:c9", journey="trip", version=1, at=at("10:00"))
    host.processor.process([host.append(ask, at("10:01"), key="j:trip")], caught_up=True)
    assert 1 == host.processor.contacts


def test_events_that_come_late_have_no_turn_in_the_past() -> None:
    """Three events of yesterday, imported at once: the rate is of the contacts that enter now."""
    catalog = build_catalog([limited("rate: {max: 1, per: 1h}")])
    state, turns = ContactState("j:trip"), []
    for number in range(3):
        ask = Ask(message_id=f"{number}", contact=f"u:c{number}", journey="trip", version=1, at=at("10:00"))
        result = advance(catalog, state, EventArrived(ask, at("10:00", day=1)))
        state = result.state
        turns += [getattr(reply, "turn_at", None) for _, reply in result.posted]
    assert [at("10:00", day=1), at("11:00", day=1), at("12:00", day=1)] == turns


def test_a_winner_of_another_version_is_no_way_here() -> None:
    """The variant that won has been taken out of the file: the run goes the way of its hash, at once."""
    catalog = build_catalog([journey(TRIAL, more=BOUGHT)])
    asked = advance(catalog, ContactState("u:c1"), EventArrived(an_event("Go", at("10:00")), at("10:00")))
    [(_, ask)] = asked.posted
    [(_, reply)] = advance(catalog, ContactState("j:trip"), EventArrived(ask, at("10:00"))).posted
    assert isinstance(ask, Ask)
    assert isinstance(reply, Reply)
    strange = msgspec.structs.replace(reply, variant="gone")
    heard = advance(catalog, asked.state, EventArrived(strange, at("10:00")))
    [run] = heard.state.runs
    assert ("rest", {"test": ask.variant}) == (run.step, run.variants)


def test_what_follows_from_a_turn_is_another_cause_than_what_followed_from_the_event() -> None:
    """The same audience is entered by the event, left, and entered again by the run at its turn: two runs, two ids."""
    vip = Audience(id="vip", where=Expression("contact.vip == true"))
    entered = journey("- {id: mail, MAIL}", name="welcome", more="entry: {reentry: {mode: always}}")
    entered = msgspec.structs.replace(entered, triggers=(AudienceTrigger(audience="vip", edge="entered"),))
    marks = journey("- {id: mark, update: {set: {vip: true}}}\n- {id: rest, wait: {for: 1d}}", more="entry: {limit: 5}")
    catalog = build_catalog([marks, entered], audiences=[vip])
    known = ContactState("u:c1", lately=recent_of([("Go", 1)]), adopted=catalog.number, audiences={"vip": False})
    arriving = msgspec.structs.replace(an_event("Go", at("10:00")), type="identify", traits={"vip": True})
    first = advance(catalog, known, EventArrived(arriving, at("10:00")))
    [(_, ask)] = first.posted
    [(_, reply)] = advance(catalog, ContactState("j:trip"), EventArrived(ask, at("10:00"))).posted
    left = identified(at("10:01"), vip=False)
    state = advance(catalog, first.state, EventArrived(left, at("10:01"))).state
    second = advance(catalog, state, EventArrived(reply, at("10:02")))
    runs = [note.run for result in (first, second) for note in result.journal if note.journey == "welcome"]
    assert 2 == len({*runs})


def test_who_stands_in_line_when_the_journey_is_drained_is_told_at_the_turn() -> None:
    """Nobody vanishes from the journal: who waited for hours must be found to have waited in vain."""
    known = limited("rate: {max: 1, per: 1h}")
    state = ContactState(contact="u:c1")
    event = msgspec.structs.replace(an_event("Go", at("10:00")), user_id="c1")
    asked = advance(build_catalog([known]), state, EventArrived(event, at("10:00")))
    [(_, ask)] = asked.posted
    assert isinstance(ask, Ask)
    reply = Reply(
        message_id="r",
        ask_id=ask.message_id,
        contact="u:c1",
        journey=known.id,
        version=1,
        at=at("10:00"),
        verdict="granted",
        turn_at=at("11:00"),
    )
    waiting = advance(build_catalog([known]), asked.state, EventArrived(reply, at("10:01")))
    due = next_timer(waiting.state, at("11:01"))
    assert due is not None
    turned = advance(build_catalog([known], closed=frozenset({known.id})), waiting.state, due)
    assert [("not_entered", 1, "journey_stopped", at("11:00"))] == [
        (it.decision, it.version, it.reason, it.at) for it in turned.journal
    ]
    assert {} == turned.state.watches
