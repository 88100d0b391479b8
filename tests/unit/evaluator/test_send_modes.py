"""By which channels a send goes: ``mode: first_reachable``, ``preferred`` and ``all``."""

from __future__ import annotations

from typing import Any

import pytest

from shared.ids import command_id
from shared.messages.event import Event
from shared.messages.outcome import Outcome
from tests.builders import an_event, an_outcome, at, identified
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, KNOWN, decided, happens, journey, revoked

TEXTS = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}, push: {title: Hi, body: Hello}}"
EVERYWHERE: dict[str, Any] = {"email": "a@example.jp", "phone": "+8190", "push_token": "t"}


def play(
    words: str, *messages: Event | Outcome, policy: str = "{topic: news}", until: int = at("11:00"), **traits: Any
) -> Verdict:
    """Return what is decided for a contact with ``traits``, by default one that all three channels reach."""
    known = (identified(at("08:00"), **(traits or EVERYWHERE)), KNOWN[1])
    step = f"- {{id: tell, send: {{channels: [email, sms, push], {TEXTS}, {words}}}}}\n"
    trip = journey(step + "- {id: rest, wait: {for: 5d}}", policy=policy, more="entry: {reentry: {mode: always}}")
    return happens(trip, *(messages or (GO,)), until=until, known=known)


def by_channel(verdict: Verdict) -> list[tuple[str, str | None, str | None, int]]:
    """Return what became of each message: the decision, its channel, its reason and when."""
    return [
        (record.decision, record.channel, record.reason, record.at)
        for record in verdict.journal
        if record.step == "tell" and record.decision in ("send", "skip", "deferred")
    ]


# ---- preferred ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preferred", "expected"),
    [
        ("sms", ("sms", "email", "push")),
        ("push", ("push", "email", "sms")),
        ("email", ("email", "sms", "push")),
        ("line", ("email", "sms", "push")),
        (5, ("email", "sms", "push")),
        (None, ("email", "sms", "push")),
    ],
)
def test_the_preferred_channel_goes_first_and_the_others_keep_their_order(
    preferred: object, expected: tuple[str, ...]
) -> None:
    """If it is one of the step's channels."""
    [command] = play("mode: preferred", **EVERYWHERE, preferred_channel=preferred).commands
    assert expected == command.channels


def test_a_preferred_channel_without_an_address_is_passed_over() -> None:
    [command] = play("mode: preferred", email="a@example.jp", push_token="t", preferred_channel="sms").commands
    assert ("email", "push") == command.channels


def test_first_reachable_asks_for_no_preference() -> None:
    [command] = play("mode: first_reachable", email="a@example.jp", phone="+8190", preferred_channel="sms").commands
    assert ("email", "sms") == command.channels


def test_the_preferred_channel_may_be_full_and_the_next_one_takes_its_place() -> None:
    policy = "{topic: news, frequency_cap: [{max: 1, per: 1d, channel: sms, when_capped: next_channel}]}"
    again = an_event("Go", at("10:10"))
    verdict = play("mode: preferred", GO, again, policy=policy, **EVERYWHERE, preferred_channel="sms")
    assert [("send", "sms", None, at("10:00")), ("send", "email", None, at("10:10"))] == by_channel(verdict)


# ---- all ----------------------------------------------------------------------------------------------------------


def test_all_sends_one_message_by_each_channel_that_reaches_the_contact() -> None:
    verdict = play("mode: all", email="a@example.jp", push_token="t")
    assert [("send", "email", None, at("10:00")), ("send", "push", None, at("10:00"))] == by_channel(verdict)
    assert [("email",), ("push",)] == [command.channels for command in verdict.commands]
    [run] = verdict.states["u:c1"].runs
    expected = [command_id(run.run_id, "tell", 1, channel) for channel in ("email", "push")]
    assert expected == [command.command_id for command in verdict.commands]
    assert 2 == run.sends


def test_all_of_no_channel_is_one_message_that_reaches_nobody() -> None:
    assert [("skip", None, "unreachable", at("10:00"))] == by_channel(play("mode: all", first_name="Aki"))


def test_each_channel_of_all_needs_its_own_consent() -> None:
    sms = revoked(at("08:30"), "news", "sms")
    assert [
        ("send", "email", None, at("10:00")),
        ("skip", "sms", "no_consent", at("10:00")),
        ("send", "push", None, at("10:00")),
    ] == by_channel(play("mode: all", sms, GO))


@pytest.mark.parametrize("action", ["skip", "next_channel"])
def test_a_channel_that_is_full_does_not_stop_the_others_of_all(action: str) -> None:
    policy = f"{{topic: news, frequency_cap: [{{max: 1, per: 1d, channel: sms, when_capped: {action}}}]}}"
    verdict = play("mode: all", GO, an_event("Go", at("10:10")), policy=policy)
    assert [
        ("send", "email", None, at("10:10")),
        ("skip", "sms", "capped", at("10:10")),
        ("send", "push", None, at("10:10")),
    ] == by_channel(verdict)[3:]


def test_each_message_of_all_counts_for_the_cap() -> None:
    """Two a day: the third channel is full."""
    policy = "{topic: news, frequency_cap: [{max: 2, per: 1d}]}"
    assert [
        ("send", "email", None, at("10:00")),
        ("send", "sms", None, at("10:00")),
        ("skip", "push", "capped", at("10:00")),
    ] == by_channel(play("mode: all", policy=policy))


def test_max_sends_counts_messages() -> None:
    assert [
        ("send", "email", None, at("10:00")),
        ("send", "sms", None, at("10:00")),
        ("skip", "push", "max_sends", at("10:00")),
    ] == by_channel(play("mode: all", policy="{topic: news, max_sends: 2}"))


def test_each_message_of_all_waits_by_itself_and_the_run_goes_on_behind_the_last() -> None:
    """SMS and push are full until 10:00 of the next day, and until 10:00 of the day after it."""
    caps = "{max: 1, per: 1d, channel: sms, when_capped: defer}, {max: 1, per: 2d, channel: push, when_capped: defer}"
    policy = f"{{topic: news, frequency_cap: [{caps}]}}"
    verdict = play("mode: all", GO, an_event("Go", at("12:00")), policy=policy, until=at("12:00", day=3))
    assert [
        ("send", "email", None, at("12:00")),
        ("deferred", "sms", "capped", at("12:00")),
        ("deferred", "push", "capped", at("12:00")),
        ("send", "sms", None, at("10:00", day=1)),
        ("send", "push", None, at("10:00", day=2)),
    ] == by_channel(verdict)[3:]
    [_, second] = verdict.states["u:c1"].runs
    assert ("rest", at("10:00", day=2), None, {}) == (second.step, second.step_at, second.tried_at, second.deferred)


def test_quiet_hours_put_all_off_together() -> None:
    policy = "{topic: news, quiet_hours: {from: '09:00', to: '11:00'}}"
    verdict = play("mode: all", policy=policy, until=at("12:00"))
    assert ["deferred"] * 3 + ["send"] * 3 == [decision for decision, *_ in by_channel(verdict)]
    assert {at("11:00")} == {when for decision, *_, when in by_channel(verdict) if decision == "send"}


def test_an_address_that_came_while_others_wait_gets_no_message_of_its_own() -> None:
    """Which channels there are is asked once, when the step is reached."""
    policy = "{topic: news, quiet_hours: {from: '09:00', to: '11:00'}}"
    later = identified(at("10:30"), phone="+8190")
    verdict = play("mode: all", GO, later, policy=policy, until=at("12:00"), email="a@example.jp")
    assert ["email"] == [channel for decision, channel, *_ in by_channel(verdict) if decision == "send"]


def test_an_exit_by_one_channel_of_all_ends_the_run_and_asks_no_other() -> None:
    policy = "{topic: news, frequency_cap: [{max: 1, per: 1d, channel: sms, when_capped: exit}]}"
    verdict = play("mode: all", GO, an_event("Go", at("10:10")), policy=policy)
    assert [("send", "email", None, at("10:10")), ("skip", "sms", "capped", at("10:10"))] == by_channel(verdict)[3:]
    assert ("exited", "capped", at("10:10")) == decided(verdict)[-1]
    assert [verdict.commands[-1].command_id] == [cancel.command_id for cancel in verdict.cancels]


def test_each_message_of_all_is_settled_by_itself() -> None:
    email, sms, _ = play("mode: all").commands
    outcomes = (an_outcome(sms, "failed", at("10:05"), "refused"), an_outcome(email, "sent", at("10:06")))
    state = play("mode: all", GO, *outcomes).states["u:c1"]
    assert ["push"] == [command.channels[0] for command in state.pending]
    assert 2 == state.runs[0].sends


# ---- every channel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "trait"),
    [
        ("email", "email"),
        ("sms", "phone"),
        ("whatsapp", "whatsapp"),
        ("whatsapp", "phone"),
        ("line", "line_user_id"),
        ("push", "push_token"),
        ("web_push", "web_push_subscription"),
        ("webhook", "webhook_url"),
        ("slack", "slack_webhook_url"),
    ],
)
def test_each_channel_has_a_trait_for_its_address(channel: str, trait: str) -> None:
    parts = {
        "email": "subject: Hi, text: Hello",
        "push": "title: Hi, body: Hello",
        "web_push": "title: Hi, body: Hello",
    }
    template = f"template: {{{channel}: {{{parts.get(channel, 'text: Hello')}}}}}"
    trip = journey(f"- {{id: tell, send: {{channels: [{channel}], {template}}}}}")
    [command] = happens(trip, GO, until=at("10:00"), known=(identified(at("08:00"), **{trait: "there"}),)).commands
    assert {channel: "there"} == command.addresses
    assert [("skip", "unreachable", at("10:00"))] == decided(happens(trip, GO, until=at("10:00"), known=()))


def test_in_app_has_no_address_yet() -> None:
    trip = journey("- {id: tell, send: {channels: [in_app], template: {in_app: {text: Hello}}}}")
    known = (identified(at("08:00"), **EVERYWHERE),)
    assert [("skip", "unreachable", at("10:00"))] == decided(happens(trip, GO, until=at("10:00"), known=known))
