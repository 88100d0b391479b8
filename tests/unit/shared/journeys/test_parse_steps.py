"""The verbs, policies and conditions of the language become exactly the model; the sample of the design parses."""

from __future__ import annotations

import pytest

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.model import (
    Awaited,
    Branch,
    Case,
    Emit,
    Exit,
    ExitIf,
    Experiment,
    Goto,
    Step,
    Template,
    Until,
    Update,
    Variant,
    Wait,
    WaitFor,
    all_steps,
)
from shared.journeys.parse import parse_journey
from shared.journeys.predicate import Bucket, Condition, Consented, Expression, InJourney, Performed, TimeIs
from shared.journeys.sending import Cap, Holdout, Policy, QuietHours, SendWindow
from shared.journeys.workspace import Surroundings
from tests.unit.shared.journeys.literals import changed, parsed

SAMPLE = """\
schema: journey/v1
id: cart_abandonment
version: 1
name: Cart abandonment (two reminders, never a third)
owner: crm@example.jp

trigger:
  type: event
  event: Product Added
  max_age: 30m

entry:
  where:
    all:
      - reachable: [email, line, sms]
      - not: {performed: {event: Order Completed, within: 60m}}
  on_retrigger: update_context
  reentry: {mode: after_exit, cooldown: 3d}
  priority: 80

context:
  cart_id: event.properties.cart_id
  product: event.properties.name

goals:
  - id: recovered
    primary: true
    event: Order Completed
    window: 7d
    attribution: last_send
    value: event.properties.total

exit:
  - {reason: converted, event: Order Completed}
  - {reason: max_duration, after: 10d}

policy:
  purpose: marketing
  topic: cart_reminders
  max_sends: 2
  holdout: {percent: 5, salt: cart-2026}
  quiet_hours: {from: "21:00", to: "08:00", timezone: contact, when_quiet: defer, max_defer: 12h}

steps:
  - {id: settle, wait: {for: 45m, reset_by: [Product Added, Product Viewed]}}
  - id: remind_1
    send: {channels: [email, line, sms], mode: first_reachable, template: cart/remind_1, expires: 12h}
  - {id: pause_1, wait: {for: 24h}}
  - {id: align, wait: {until: {time: "10:00", latest: 24h}}}
  - id: offer_test
    experiment:
      salt: cart-offer-1
      variants:
        - id: plain
          weight: 50
          then:
            - id: remind_2_plain
              send: {channels: [email, line, sms], mode: first_reachable, template: cart/remind_2_benefits}
        - id: discount
          weight: 50
          then:
            - id: remind_2_coupon
              send: {channels: [email, line, sms], mode: first_reachable, template: cart/remind_2_coupon}
  - {id: observe, wait: {for: 7d}}
  - {id: end, exit: {reason: no_response}}
"""


def test_the_sample_of_the_design_parses_without_the_words_that_are_still_to_come() -> None:
    """They are `call`, `in_flight` and `invariants`."""
    texts = {"email": {"subject": "s", "text": "t"}, "line": {"text": "t"}, "sms": {"text": "t"}}
    names = ("cart/remind_1", "cart/remind_2_benefits", "cart/remind_2_coupon")
    journey = parse_journey(
        "cart.yaml", SAMPLE, Surroundings(templates={name: Template(id=name, locales={"en": texts}) for name in names})
    )
    assert [
        "settle",
        "remind_1",
        "pause_1",
        "align",
        "offer_test",
        "remind_2_plain",
        "remind_2_coupon",
        "observe",
        "end",
    ] == [step.id for step in all_steps(journey.steps)]
    assert Holdout(5, "cart-2026") == journey.policy.holdout
    assert QuietHours(start="21:00", end="08:00", max_defer=12 * HOUR) == journey.policy.quiet_hours
    assert Wait(id="align", until=Until(time="10:00", latest=DAY)) == journey.steps[3]


LEFT = Exit(id="left", reason="gone")
VIP = Expression("contact.vip == true")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("wait: {for: P1M}", Wait(id="rest", span="P1M")),
        ("wait: {for: 1h, jitter: 10m}", Wait(id="rest", duration=HOUR, jitter=10 * MINUTE)),
        ("wait: {until: {time: 09:30}}", Wait(id="rest", until=Until(time="09:30"))),
        (
            'wait: {until: {time: "09:30:15", days: [sun, mon], timezone: Asia/Tokyo, latest: 3d}}',
            Wait(id="rest", until=Until(time="09:30:15", days=(0, 6), timezone="Asia/Tokyo", latest=3 * DAY)),
        ),
        ("wait: {until: {date: 2026-12-24}}", Wait(id="rest", until=Until(date="2026-12-24"))),
        (
            "wait: {until: {property: contact.birthday, match: anniversary, offset: -10d}, past: exit}",
            Wait(id="rest", until=Until(property="birthday", match="anniversary", offset_days=-10), past="exit"),
        ),
        (
            "wait: {until: {property: contact.ends, offset: +3d}}",
            Wait(id="rest", until=Until(property="ends", offset_days=3)),
        ),
        ("wait_for: {any: [{id: a, event: Paid}]}", WaitFor(id="rest", any=(Awaited(id="a", event="Paid"),))),
        (
            (
                "wait_for: {any: [{id: a, event: Paid, where: contact.vip == true}, {id: b, if: contact.vip == true}],"
                " timeout: {after: 2h, then: [{id: left, exit: {reason: gone}}]}}"
            ),
            WaitFor(
                id="rest",
                any=(Awaited(id="a", event="Paid", where=VIP), Awaited(id="b", condition=VIP)),
                timeout=2 * HOUR,
                timeout_then=(LEFT,),
            ),
        ),
        (
            "branch: [{if: contact.vip == true, then: []}, {else: [{id: left, exit: {reason: gone}}]}]",
            Branch(id="rest", cases=(Case(condition=VIP, then=()), Case(condition=None, then=(LEFT,)))),
        ),
        (
            "experiment: {salt: s, variants: [{id: a, weight: 1, then: []}, {id: b, weight: 0}]}",
            Experiment(id="rest", salt="s", variants=(Variant(id="a", weight=1), Variant(id="b", weight=0))),
        ),
        (
            "update: {set: {a: x, b: 1, c: true, d: {expr: contact.vip == true}}, increment: {n: -1, m: 0.5}}",
            Update(id="rest", set={"a": "x", "b": 1, "c": True, "d": VIP}, increment={"n": -1, "m": 0.5}),
        ),
        (
            "update: {add_tags: [a], remove_tags: [b], subscribe: [c], unsubscribe: [d]}",
            Update(id="rest", add_tags=("a",), remove_tags=("b",), subscribe=("c",), unsubscribe=("d",)),
        ),
        ("emit: {event: Pinged}", Emit(id="rest", event="Pinged")),
        (
            "emit: {event: Pinged, properties: {a: 1, b: {expr: contact.vip == true}}}",
            Emit(id="rest", event="Pinged", properties={"a": 1, "b": VIP}),
        ),
        ("goto: {step: end, max_visits: 2}", Goto(id="rest", step="end", max_visits=2)),
    ],
)
def test_each_verb_has_its_form(written: str, expected: Step) -> None:
    assert expected == parsed(changed("wait: {for: 1d}", written)).steps[1]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("contact.vip == true", VIP),
        ("{performed: {event: X, since: entry, count: 2}}", Performed(event="X", count=2)),
        (
            "{performed: {event: X, within: 1h, where: contact.vip == true}}",
            Performed(event="X", within=HOUR, where=VIP),
        ),
        ("{consent: {topic: news}}", Consented("news")),
        ("{consent: {topic: news, channel: sms}}", Consented("news", "sms")),
        ("{time: {days: [sat, sun]}}", TimeIs(days=(5, 6))),
        (
            "{time: {from: '09:00', to: '18:00', timezone: workspace}}",
            TimeIs(start="09:00", end="18:00", timezone="workspace"),
        ),
        ("{bucket: {percent: 12.5, salt: s}}", Bucket(12.5, "s")),
        ("{in_journey: {id: cart}}", InJourney(id="cart")),
        ("{in_journey: {id: cart, state: ever}}", InJourney(id="cart", state="ever")),
    ],
)
def test_each_condition_has_its_form(written: str, expected: Condition) -> None:
    assert expected == parsed(changed("{priority: 10}", f"{{where: {written}}}")).entry.where


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("holdout: {percent: 5, salt: s}", Policy(topic="news", holdout=Holdout(5, "s"))),
        ("frequency_cap: []", Policy(topic="news")),
        ("frequency_cap: [{max: 2, per: 1d}]", Policy(topic="news", caps=(Cap(max=2, per=DAY),))),
        (
            "frequency_cap: [{max: 2, per: 1d, scope: journey, channel: sms, topic: news, when_capped: next_channel}]",
            Policy(
                topic="news",
                caps=(Cap(max=2, per=DAY, scope="journey", channel="sms", topic="news", when_capped="next_channel"),),
            ),
        ),
        (
            "frequency_cap: [{max: 2, per: 1d, when_capped: defer, max_defer: 6h}]",
            Policy(topic="news", caps=(Cap(max=2, per=DAY, when_capped="defer", max_defer=6 * HOUR),)),
        ),
        (
            "quiet_hours: {from: '21:00', to: '08:00'}",
            Policy(topic="news", quiet_hours=QuietHours(start="21:00", end="08:00", when_quiet="defer", spread=0)),
        ),
        (
            "quiet_hours: {from: '21:00', to: '08:00', fallback_timezone: Asia/Tokyo, when_quiet: skip, spread: 30m}",
            Policy(
                topic="news",
                quiet_hours=QuietHours(
                    start="21:00",
                    end="08:00",
                    fallback_timezone="Asia/Tokyo",
                    when_quiet="skip",
                    spread=30 * MINUTE,
                ),
            ),
        ),
        (
            "send_window: {days: [mon, fri], from: '09:00', to: '18:00', when_outside: exit}",
            Policy(topic="news", send_window=SendWindow(start="09:00", end="18:00", days=(0, 4), when_outside="exit")),
        ),
    ],
)
def test_each_word_of_policy_has_its_form(written: str, expected: Policy) -> None:
    assert expected == parsed(changed("{purpose: transactional}", f"{{topic: news, {written}}}")).policy


def test_an_exit_by_a_condition() -> None:
    journey = parsed(changed("entry: {priority: 10}", "exit: [{reason: vip, if: contact.vip == true}]"))
    assert (ExitIf(reason="vip", condition=VIP),) == journey.exits


def test_always_is_a_way_to_come_in_again() -> None:
    assert "always" == parsed(changed("{priority: 10}", "{reentry: {mode: always}}")).entry.reentry.mode


def test_the_key_and_the_context_are_expressions() -> None:
    journey = parsed(
        changed(
            "entry: {priority: 10}",
            "entry: {key: event.properties.order_id}\ncontext: {dear: event.properties.total > 100}",
        )
    )
    assert Expression("event.properties.order_id") == journey.entry.key
    assert {"dear": Expression("event.properties.total > 100")} == journey.context
