"""What a journey does to the contact: traits, tags, consent, and events of its own."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.state import ContactState
from shared.clock import MINUTE
from shared.messages.event import Event
from tests.builders import a_record, an_event, at, consented, identified
from tests.oracle import judge
from tests.unit.evaluator.playing import GO, KNOWN, MARKETING, happens, journey, sends, told


def after(update: str, **traits: object) -> ContactState:
    """Return the contact after ``update`` at 10:00."""
    known = (identified(at("08:00"), **traits), consented(at("08:00"), "news"))
    go = an_event("Go", at("10:00"), plan="gold", total=3)
    trip = journey(f"- {{id: change, update: {update}}}", more="context: {plan: event.properties.plan}")
    return happens(trip, go, until=at("11:00"), known=known).states["u:c1"]


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ("{set: {plan: gold, seats: 5, ratio: 'half', active: true}}", {"plan": "gold", "seats": 5, "active": True}),
        ("{set: {plan: {expr: context.plan}}}", {"plan": "gold"}),
        ("{set: {next: {expr: contact.seats * event.properties.total}}}", {"next": 6, "seats": 2}),
        ("{set: {gone: {expr: event.properties.absent}}}", {"gone": None}),
        ("{set: {seats: 7}, increment: {seats: 1}}", {"seats": 8}),
        ("{increment: {seats: 3}}", {"seats": 5}),
        ("{increment: {seats: -3}}", {"seats": -1}),
        ("{increment: {seats: 0.5}}", {"seats": 2.5}),
        ("{increment: {visits: 1}}", {"visits": 1}),
        ("{increment: {name: 1}}", {"name": 1}),
    ],
)
def test_update_sets_and_adds_to_traits(update: str, expected: dict[str, object]) -> None:
    """What was no number before counts from 0; the other traits stay as they are."""
    traits = after(update, seats=2, name="Aki", city="Kyoto").traits
    assert expected == {name: traits[name] for name in expected}
    assert "Kyoto" == traits["city"]


def test_a_whole_number_stays_one() -> None:
    assert isinstance(after("{increment: {seats: 1}}", seats=2).traits["seats"], int)


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ("{add_tags: [vip]}", ["new", "vip"]),
        ("{add_tags: [vip, new]}", ["vip", "new"]),
        ("{remove_tags: [new]}", []),
        ("{remove_tags: [absent]}", ["new"]),
        ("{add_tags: [vip], remove_tags: [new]}", ["vip"]),
    ],
)
def test_each_tag_is_there_once(update: str, expected: list[str]) -> None:
    assert expected == after(update, tags=["new"]).traits["tags"]


def test_a_contact_without_tags_gets_its_first() -> None:
    assert ["vip"] == after("{add_tags: [vip]}").traits["tags"]


def test_an_update_is_noted_and_the_next_step_sees_it() -> None:
    trip = journey("""
        - {id: change, update: {set: {plan: gold}, increment: {seats: 2}}}
        - {id: way, branch: [{if: contact.plan == 'gold' && contact.seats == 2, then: [{id: gold, MAIL}]}]}
    """)
    verdict = happens(trip, GO, until=at("11:00"))
    assert [("update", "change", at("10:00")), ("send", "gold", at("10:00"))] == told(verdict)[1:3]
    assert {"plan": "gold", "seats": 2} == verdict.journal[1].detail
    assert "gold" == verdict.commands[0].data["contact"]["plan"]


def test_in_an_update_the_event_is_the_one_that_caused_the_entry() -> None:
    trip = journey("""
        - {id: hear, wait_for: {any: [{id: paid, event: Paid}]}}
        - {id: change, update: {set: {total: {expr: event.properties.total}}}}
    """)
    go, paid = an_event("Go", at("10:00"), total=5), an_event("Paid", at("10:10"), total=7)
    assert 5 == happens(trip, go, paid, until=at("11:00")).states["u:c1"].traits["total"]


# ---- consent ------------------------------------------------------------------------------------------------------


def test_subscribe_allows_messages_from_then_on() -> None:
    trip = journey(
        "- {id: before, MAIL}\n- {id: join, update: {subscribe: [offers]}}\n- {id: after, MAIL}",
        policy="{topic: offers}",
    )
    verdict = happens(trip, GO, until=at("11:00"))
    assert [("skip", "no_consent"), ("update", "join"), ("send", "after")] == [it[:2] for it in told(verdict)[1:4]]


def test_unsubscribe_ends_the_marketing_runs_of_the_topic_and_calls_back_what_is_on_its_way() -> None:
    """Its own run too when it is one; what is transactional goes on."""
    mails = "- {id: hello, MAIL}\n- {id: rest, wait: {for: 1d}}\n- {id: again, MAIL}"
    news = journey(mails, name="news", policy=MARKETING)
    offers = journey("- {id: rest, wait: {for: 1d}}", name="offers", policy="{topic: offers}")
    leave = journey("- {id: leave, update: {unsubscribe: [news]}}\n- {id: bye, MAIL}", name="leave", trigger="Leave")
    verdict = happens((news, offers, leave), GO, an_event("Leave", at("10:30")), until=at("11:00"))
    assert [
        ("leave", "entered", None),
        ("leave", "update", None),
        ("news", "exited", "consent_revoked"),
        ("leave", "send", None),
        ("leave", "exited", "completed"),
    ] == [(record.journey, record.decision, record.reason) for record in verdict.journal if record.at == at("10:30")]
    assert [verdict.commands[0].command_id] == [cancel.command_id for cancel in verdict.cancels]
    assert ["offers"] == [run.journey for run in verdict.states["u:c1"].runs]


def test_a_run_that_unsubscribes_from_its_own_topic_ends_there() -> None:
    trip = journey("- {id: leave, update: {unsubscribe: [news]}}\n- {id: bye, MAIL}", policy=MARKETING)
    verdict = happens(trip, GO, until=at("11:00"))
    assert [("update", "leave", at("10:00")), ("exited", "consent_revoked", at("10:00"))] == told(verdict)[1:]


def test_an_older_unsubscribe_does_not_undo_a_newer_grant() -> None:
    """The trigger of 09:00 arrives at 10:00; the contact granted at 09:30. Its runs go on as well."""
    leave = journey("- {id: leave, update: {unsubscribe: [news]}}", name="leave", trigger="Leave")
    news = journey("- {id: rest, wait: {for: 1h}}\n- {id: mail, MAIL}", name="news", policy=MARKETING, trigger="Come")
    messages = (
        consented(at("09:30"), "news"),
        an_event("Come", at("09:40")),
        an_event("Leave", at("09:00"), received=at("10:00")),
    )
    assert [("mail", at("10:40"))] == sends(happens((leave, news), *messages, until=at("11:00")))


# ---- emit ---------------------------------------------------------------------------------------------------------


def test_what_is_emitted_comes_back_through_the_log_and_triggers_journeys() -> None:
    first = journey(
        """
        - {id: pause, wait: {for: 30m}}
        - {id: tell, emit: {event: Trip Begun, properties: {plan: {expr: context.plan}, seats: 2}}}
        """,
        name="a",
        more="context: {plan: event.properties.plan}",
    )
    second = journey(
        "- {id: mail, MAIL}", name="b", trigger="Trip Begun", more="context: {plan: event.properties.plan}"
    )
    verdict = happens((first, second), an_event("Go", at("10:00"), plan="gold"), until=at("11:00"))
    assert [
        ("a", "entered", at("10:00")),
        ("a", "emit", at("10:30")),
        ("a", "exited", at("10:30")),
        ("b", "entered", at("10:30")),
        ("b", "send", at("10:30")),
        ("b", "exited", at("10:30")),
    ] == [(record.journey, record.decision, record.at) for record in verdict.journal]
    [event] = verdict.events
    assert isinstance(event, Event)
    assert ("Trip Begun", "track", {"plan": "gold", "seats": 2}, "c1") == (
        event.name,
        event.type,
        event.properties,
        event.user_id,
    )
    assert {"event": "Trip Begun", "message_id": event.message_id} == verdict.journal[1].detail
    assert "gold" == verdict.commands[0].data["context"]["plan"]


def test_the_emitting_run_may_wait_for_its_own_event() -> None:
    trip = journey("""
        - {id: tell, emit: {event: Pinged}}
        - {id: hear, wait_for: {any: [{id: a, event: Pinged, then: [{id: mail, MAIL}]}]}}
    """)
    assert [("mail", at("10:00"))] == sends(happens(trip, GO, until=at("11:00")))


def test_an_anonymous_contacts_event_stays_its_own() -> None:
    trip = journey("- {id: tell, emit: {event: Pinged}}")
    [event] = happens(trip, GO, until=at("11:00"), contact="a:9").events
    assert (None, "9") == (event.user_id, event.anonymous_id)


def test_an_event_emitted_twice_by_a_crash_counts_once() -> None:
    """Its id is derived: the copy that a worker wrote before it died is a duplicate."""
    trip = journey("- {id: tell, emit: {event: Pinged}}")
    heard = journey("- {id: mail, MAIL}", name="b", trigger="Pinged", more="entry: {reentry: {mode: always}}")
    log = [a_record(number, it) for number, it in enumerate((*KNOWN, GO))]
    [event] = judge([trip, heard], log).events
    assert [event] == judge([trip, heard], log).events
    twice = [*log, a_record(3, event), a_record(4, event)]
    assert [("mail", at("10:00"))] == sends(judge([trip, heard], twice))


def test_each_visit_of_an_emit_is_an_event_of_its_own() -> None:
    trip = journey("""
        - {id: tell, emit: {event: Pinged}}
        - {id: pause, wait: {for: 1h}}
        - {id: again, goto: {step: tell, max_visits: 3}}
    """)
    verdict = happens(trip, GO, until=at("20:00"))
    assert 3 == len({event.message_id for event in verdict.events})


def test_journeys_that_set_each_other_off_stop_after_ten_events() -> None:
    always = "entry: {reentry: {mode: always}}"
    ping = journey("- {id: ping, emit: {event: Ping}}", name="a", trigger="Pong", more=always)
    pong = journey("- {id: pong, emit: {event: Pong}}", name="b", trigger="Ping", more=always)
    verdict = happens((ping, pong), an_event("Ping", at("10:00")), until=at("11:00"))
    assert 10 == len(verdict.events)
    assert [("skip", "emit_loop")] == [
        (it.decision, it.reason) for it in verdict.journal if it.decision not in ("entered", "exited", "emit")
    ]


def test_what_somebody_does_is_no_hop() -> None:
    """Eleven clicks are eleven events, and so are their echoes."""
    echo = journey("- {id: tell, emit: {event: Echo}}", more="entry: {reentry: {mode: always}}")
    clicks = [an_event("Go", at("10:00") + number * MINUTE) for number in range(11)]
    assert 11 == len(happens(echo, *clicks, until=at("11:00")).events)


def test_hops_of_an_outsider_are_not_believed_beyond_reason() -> None:
    """A sender may say what it likes in the context: no number at all is none."""
    echo = journey("- {id: tell, emit: {event: Echo}}")
    go = msgspec.structs.replace(GO, context={"kikkake_hops": "many"})
    assert 1 == len(happens(echo, go, until=at("11:00")).events)
