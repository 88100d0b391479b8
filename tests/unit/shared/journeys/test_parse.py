"""Valid journeys become exactly the model that the engine runs."""

from __future__ import annotations

import pytest

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.files import load_definitions
from shared.journeys.model import (
    Entry,
    EventTrigger,
    Exit,
    ExitAfter,
    ExitOnEvent,
    Goal,
    Journey,
    Reentry,
    Send,
    Template,
    Wait,
    all_steps,
)
from shared.journeys.predicate import All, Any, Expression, Not, Performed, Reachable
from shared.journeys.sending import Policy
from tests.builders import JOURNEYS
from tests.unit.shared.journeys.literals import TEMPLATES, VALID, changed, parsed


def shipped(journey: str) -> Journey:
    [found] = [one for one in load_definitions(JOURNEYS).journeys if one.id == journey]
    return found


def test_the_shipped_cart_journey_is_the_one_described() -> None:
    cart = shipped("cart_abandonment")
    assert ("cart_abandonment", 1) == (cart.id, cart.version)
    assert "Cart abandonment (two reminders, never a third)" == cart.name
    assert "crm@example.jp" == cart.owner
    assert (EventTrigger(event="Product Added", max_age=30 * MINUTE),) == cart.triggers
    assert (
        Entry(
            where=Not(Performed(event="Order Completed", within=60 * MINUTE)),
            on_retrigger="update_context",
            reentry=Reentry(mode="after_exit", cooldown=3 * DAY),
            priority=80,
        )
        == cart.entry
    )
    assert {
        "cart_id": Expression("event.properties.cart_id"),
        "product": Expression("event.properties.name"),
    } == cart.context
    recovered = Goal(
        id="recovered",
        event="Order Completed",
        window=7 * DAY,
        primary=True,
        attribution="last_send",
        value=Expression("event.properties.total"),
    )
    assert (recovered,) == cart.goals
    assert (
        ExitOnEvent(reason="converted", event="Order Completed"),
        ExitOnEvent(
            reason="checkout_left",
            event="Journey Entered",
            where=Expression("event.properties.journey == 'checkout_abandonment'"),
        ),
        ExitAfter(reason="max_duration", after=10 * DAY),
    ) == cart.exits
    assert Policy(purpose="marketing", topic="cart_reminders", max_sends=2) == cart.policy
    settle, remind_1, pause_1, remind_2, observe, end = cart.steps
    changes = ("Product Added", "Product Viewed", "Checkout Started")
    assert Wait(id="settle", duration=45 * MINUTE, reset_by=changes) == settle
    assert Wait(id="pause_1", duration=24 * HOUR) == pause_1
    assert Wait(id="observe", duration=7 * DAY) == observe
    assert Exit(id="end", reason="no_response") == end
    for name, step in (("remind_1", remind_1), ("remind_2", remind_2)):
        assert isinstance(step, Send)
        assert (name, ("email",), "first_reachable", 12 * HOUR) == (step.id, step.channels, step.mode, step.expires)
        assert f"cart/{name}" == step.template.id
        assert ["en", "ja"] == sorted(step.template.locales)


def test_the_shipped_order_confirmation_is_transactional_and_runs_once_per_order() -> None:
    order = shipped("order_confirmation")
    assert ("order_confirmation", 1) == (order.id, order.version)
    assert (EventTrigger(event="Order Completed", max_age=DAY),) == order.triggers
    assert Expression("event.properties.order_id") == order.entry.key
    assert Policy(purpose="transactional") == order.policy
    assert ["invoice", "confirm_with_invoice", "confirm"] == [step.id for step in all_steps(order.steps)]


def test_what_is_not_written_has_its_default() -> None:
    journey = parsed(changed("entry: {priority: 10}\n", ""))
    assert ("", "", "", ()) == (journey.name, journey.description, journey.owner, journey.tags)
    assert Entry(where=None, key=None, on_retrigger="ignore", reentry=Reentry(), priority=50) == journey.entry
    assert Reentry(mode="after_exit", cooldown=0) == journey.entry.reentry
    assert ({}, (), ()) == (journey.context, journey.goals, journey.exits)
    assert Policy(purpose="transactional", topic=None, max_sends=None, on_ambiguous=None) == journey.policy
    assert (EventTrigger(event="Signed Up", where=None, max_age=None),) == journey.triggers


def test_an_inline_template_has_the_one_locale_default_and_the_name_of_its_step() -> None:
    hello = Template(id="hello", locales={"default": {"email": {"subject": "Hi", "text": "Hello"}}})
    assert Send(id="hello", channels=("email",), template=hello, expires=None) == parsed(VALID).steps[0]


def test_a_template_is_named_by_its_id() -> None:
    step = parsed(changed("{email: {subject: Hi, text: Hello}}", "cart/remind")).steps[0]
    assert isinstance(step, Send)
    assert TEMPLATES["cart/remind"] == step.template


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("{performed: {event: X, within: 1h}}", Performed(event="X", within=HOUR, count=1)),
        ("{performed: {event: X, within: 1h, count: 3}}", Performed(event="X", within=HOUR, count=3)),
        ("{reachable: [line, sms]}", Reachable(("line", "sms"))),
        ("{not: {reachable: [push]}}", Not(Reachable(("push",)))),
        ("{all: [{reachable: [email]}, {reachable: [sms]}]}", All((Reachable(("email",)), Reachable(("sms",))))),
        ("{any: [{any: []}, {reachable: [slack]}]}", Any((Any(()), Reachable(("slack",))))),
    ],
)
def test_each_condition_has_its_form(condition: str, expected: object) -> None:
    journey = parsed(changed("{priority: 10}", f"{{where: {condition}}}"))
    assert expected == journey.entry.where


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("key: contact", Entry(key=None)),
        ("key: contact.company.id", Entry(key=Expression("contact.company.id"))),
        ("key: event.properties.order_id", Entry(key=Expression("event.properties.order_id"))),
        ("on_retrigger: ignore", Entry(on_retrigger="ignore")),
        ("on_retrigger: restart", Entry(on_retrigger="restart")),
        ("on_retrigger: update_context", Entry(on_retrigger="update_context")),
        ("reentry: {mode: never}", Entry(reentry=Reentry(mode="never"))),
        ("reentry: {mode: after_exit, cooldown: 2w}", Entry(reentry=Reentry(cooldown=14 * DAY))),
        ("priority: 0", Entry(priority=0)),
    ],
)
def test_each_word_of_entry_has_its_meaning(written: str, expected: Entry) -> None:
    assert expected == parsed(changed("{priority: 10}", f"{{{written}}}")).entry


def test_every_word_of_the_top_and_of_goals_and_exits() -> None:
    journey = parsed(
        changed(
            "trigger: {type: event, event: Signed Up}\n",
            """\
name: Welcome
description: "Greets: once"
owner: crm@example.jp
tags: [welcome, onboarding]
triggers:
  - {type: event, event: Signed Up, where: {reachable: [email]}, max_age: 2h}
  - {type: event, event: Invited}
context: {plan: event.properties.plan, city: contact.address.city, plan_before: context.plan}
goals:
  - {id: bought, event: Order Completed, attribution: last_send, where: {reachable: [email]}}
exit:
  - {reason: left, event: Account Deleted, where: {reachable: [email]}}
""",
        )
    )
    assert ("Welcome", "Greets: once", "crm@example.jp") == (journey.name, journey.description, journey.owner)
    assert ("welcome", "onboarding") == journey.tags
    assert (
        EventTrigger(event="Signed Up", where=Reachable(("email",)), max_age=2 * HOUR),
        EventTrigger(event="Invited"),
    ) == journey.triggers
    assert ["event.properties.plan", "contact.address.city", "context.plan"] == [
        expression.text for expression in journey.context.values()
    ]
    bought = Goal(
        id="bought",
        event="Order Completed",
        window=7 * DAY,
        primary=False,
        where=Reachable(("email",)),
        attribution="last_send",
        value=None,
    )
    assert (bought,) == journey.goals
    assert (ExitOnEvent(reason="left", event="Account Deleted", where=Reachable(("email",))),) == journey.exits


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_every_word_of_policy(on_ambiguous: str) -> None:
    written = f"{{purpose: marketing, topic: news, max_sends: 3, on_ambiguous: {on_ambiguous}}}"
    policy = parsed(changed("{purpose: transactional}", written)).policy
    assert ("marketing", "news", 3, on_ambiguous) == (
        policy.purpose,
        policy.topic,
        policy.max_sends,
        policy.on_ambiguous,
    )


@pytest.mark.parametrize(
    "channel", ["email", "sms", "whatsapp", "line", "push", "web_push", "in_app", "webhook", "slack"]
)
def test_every_channel_may_be_sent_by(channel: str) -> None:
    parts = {
        "email": "subject: Hi, text: Hello",
        "push": "title: Hi, body: Hello",
        "web_push": "title: Hi, body: Hello",
    }
    template = f"{{{channel}: {{{parts.get(channel, 'text: Hello')}}}}}"
    step = parsed(
        changed(
            "{channels: [email], template: {email: {subject: Hi, text: Hello}}}",
            f"{{channels: [{channel}], mode: first_reachable, template: {template}}}",
        )
    ).steps[0]
    assert isinstance(step, Send)
    assert (channel,) == step.channels


@pytest.mark.parametrize("name", ["on", "off", "yes", "no", "1.5", "2026-01-01", "0x10", "1e3", ".inf", "=", "21:00"])
def test_what_yaml_1_1_would_turn_into_something_else_stays_a_text(name: str) -> None:
    assert name == parsed(changed("id: welcome\n", f"id: welcome\nname: {name}\n")).name


def test_quotes_make_a_text_of_anything() -> None:
    assert "5" == parsed(changed("id: welcome\n", 'id: welcome\nname: "5"\n')).name


def test_a_journey_without_sends_needs_no_topic() -> None:
    quiet = changed(
        "  - {id: hello, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}\n",
        "",
        changed("policy: {purpose: transactional}\n", ""),
    )
    assert None is parsed(quiet).policy.topic


def test_japanese_names_and_texts_arrive_unchanged() -> None:
    assert "カゴ落ち" == parsed(changed("id: welcome\n", "id: welcome\nname: カゴ落ち\n")).name


def test_windows_line_ends_change_nothing() -> None:
    assert parsed(VALID) == parsed(VALID.replace("\n", "\r\n"))
