"""What a send says of itself otherwise than its journey: purpose, topic, caps and quiet hours of a step."""

from __future__ import annotations

import pytest

from shared.messages.command import Utm
from tests.builders import an_event, an_outcome, at, consented
from tests.unit.evaluator.playing import GO, KNOWN, decided, happens, journey, revoked, sends, told

TEXTS = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}"
OFFERS = consented(at("08:01"), "offers")
"""Consent for a second topic, beside that for `news`."""


def a_send(name: str, words: str = "", channels: str = "[email]") -> str:
    return f"- {{id: {name}, send: {{channels: {channels}, {TEXTS}{words}}}}}\n"


def test_a_topic_of_the_step_needs_its_own_consent() -> None:
    trip = journey(a_send("news") + a_send("offer", ", topic: offers"), policy="{topic: news}")
    assert [("send", "news", at("10:00")), ("skip", "no_consent", at("10:00"))] == decided(
        happens(trip, GO, until=at("11:00"))
    )
    verdict = happens(trip, GO, until=at("11:00"), known=(*KNOWN, OFFERS))
    assert ["news", "offers"] == [command.topic for command in verdict.commands]


def test_a_purpose_of_the_step_decides_what_it_may() -> None:
    """A receipt within a marketing journey needs no consent, ignores quiet hours, and is sent again when in doubt."""
    quiet = "quiet_hours: {from: '09:00', to: '11:00'}"
    trip = journey(a_send("receipt", ", purpose: transactional"), policy=f"{{topic: news, {quiet}}}")
    verdict = happens(trip, GO, until=at("10:30"), known=KNOWN[:1])
    assert [("receipt", at("10:00"))] == sends(verdict)
    [command] = verdict.commands
    assert ("transactional", "retry", ()) == (command.purpose, command.on_ambiguous, command.hours)


def test_quiet_hours_of_the_step_count_for_it_alone_and_go_with_its_command() -> None:
    hours = ", quiet_hours: {from: '09:00', to: '11:00'}"
    trip = journey(a_send("now") + a_send("later", hours), policy="{topic: news}")
    verdict = happens(trip, GO, until=at("12:00"))
    assert [("now", at("10:00")), ("later", at("11:00"))] == sends(verdict)
    assert [(), ("quiet_hours",)] == [tuple(hours.reason for hours in command.hours) for command in verdict.commands]


def test_quiet_hours_none_lifts_those_of_the_journey() -> None:
    trip = journey(
        a_send("urgent", ", quiet_hours: none") + a_send("calm"),
        policy="{topic: news, quiet_hours: {from: '09:00', to: '11:00'}}",
    )
    assert [("urgent", at("10:00")), ("calm", at("11:00"))] == sends(happens(trip, GO, until=at("12:00")))


def test_a_cap_of_the_step_takes_the_place_of_the_journeys() -> None:
    """The journey's cap of one a day stops the second; the third is under its own of three a week."""
    policy = "{topic: news, frequency_cap: [{max: 1, per: 1d}]}"
    own = ", frequency_cap: [{max: 3, per: 1w}]"
    trip = journey(a_send("first") + a_send("second") + a_send("third", own), policy=policy)
    assert [
        ("send", "first", at("10:00")),
        ("skip", "capped", at("10:00")),
        ("send", "third", at("10:00")),
    ] == decided(happens(trip, GO, until=at("11:00")))
    inherits = journey(a_send("first") + a_send("second", ", frequency_cap: inherit"), policy=policy)
    assert ("skip", "capped", at("10:00")) == decided(happens(inherits, GO, until=at("11:00")))[-1]


def test_a_cap_that_only_a_step_has_remembers_as_long_as_it_looks_back() -> None:
    own = ", frequency_cap: [{max: 1, per: 1w}]"
    trip = journey(a_send("mail", own), policy="{topic: news}")
    goes = [an_event("Go", at("10:00", day=day)) for day in (0, 6, 7)]
    found = decided(happens(trip, *goes, until=at("12:00", day=8)))
    assert ["send", "skip", "send"] == [decision for decision, _, _ in found]


def test_a_send_that_was_deferred_is_asked_by_its_own_policy_again() -> None:
    """The consent for the step's topic is withdrawn while it waits; the run goes on."""
    hours = ", topic: offers, quiet_hours: {from: '09:00', to: '11:00'}"
    trip = journey(a_send("offer", hours) + "- {id: end, exit: {reason: done}}", policy="{topic: news}")
    verdict = happens(trip, GO, revoked(at("10:30"), "offers"), until=at("12:00"), known=(*KNOWN, OFFERS))
    assert [
        ("deferred", "quiet_hours", at("10:00")),
        ("skip", "no_consent", at("11:00")),
        ("exited", "done", at("11:00")),
    ] == decided(verdict)


def test_consent_withdrawn_for_a_steps_topic_cancels_its_message_and_the_run_goes_on() -> None:
    trip = journey(
        a_send("news") + a_send("offer", ", topic: offers") + "- {id: rest, wait: {for: 1d}}", policy="{topic: news}"
    )
    verdict = happens(trip, GO, revoked(at("10:05"), "offers"), until=at("11:00"), known=(*KNOWN, OFFERS))
    [_, offer] = verdict.commands
    assert [(offer.command_id, "no_consent", at("10:05"))] == [
        (cancel.command_id, cancel.reason, cancel.at) for cancel in verdict.cancels
    ]
    assert 1 == len(verdict.states["u:c1"].runs)


def test_consent_withdrawn_for_the_journeys_topic_ends_the_run_and_cancels_all_its_messages_once() -> None:
    trip = journey(
        a_send("news") + a_send("offer", ", topic: offers") + "- {id: rest, wait: {for: 1d}}", policy="{topic: news}"
    )
    verdict = happens(trip, GO, revoked(at("10:05"), "news"), until=at("11:00"), known=(*KNOWN, OFFERS))
    assert ("exited", "consent_revoked", at("10:05")) == told(verdict)[-1]
    assert ["exited", "exited"] == [cancel.reason for cancel in verdict.cancels]
    assert {command.command_id for command in verdict.commands} == {cancel.command_id for cancel in verdict.cancels}


def test_an_unsubscribe_by_a_step_cancels_the_messages_of_that_topic() -> None:
    trip = journey(
        a_send("offer", ", topic: offers")
        + "- {id: leave, update: {unsubscribe: [offers]}}\n- {id: rest, wait: {for: 1d}}",
        policy="{topic: news}",
    )
    verdict = happens(trip, GO, until=at("11:00"), known=(*KNOWN, OFFERS))
    assert ["no_consent"] == [cancel.reason for cancel in verdict.cancels]


def test_consent_withdrawn_for_a_channel_cancels_what_may_leave_by_it() -> None:
    """The message that could fall back to SMS as well: in doubt nothing is sent. What is transactional needs none."""
    trip = journey(
        a_send("mail")
        + a_send("both", channels="[sms, email]")
        + a_send("text", channels="[sms]")
        + a_send("receipt", ", purpose: transactional")
        + "- {id: rest, wait: {for: 1d}}",
        policy="{topic: news}",
    )
    verdict = happens(trip, GO, revoked(at("10:05"), "news", "email"), until=at("11:00"))
    by_id = {command.command_id: command.step for command in verdict.commands}
    assert {"mail", "both"} == {by_id[cancel.command_id] for cancel in verdict.cancels}
    assert {"no_consent"} == {cancel.reason for cancel in verdict.cancels}
    assert 1 == len(verdict.states["u:c1"].runs)


def test_a_message_is_called_back_once() -> None:
    """The consent is withdrawn after the run has ended, and again, and the message has no outcome yet."""
    rule = "exit: [{reason: bought, event: Bought}]"
    trip = journey(a_send("mail") + "- {id: rest, wait: {for: 1d}}", policy="{topic: news}", more=rule)
    again = [revoked(when, "news") for when in (at("10:06"), at("10:07"))]
    verdict = happens(trip, GO, an_event("Bought", at("10:05")), *again, until=at("11:00"))
    assert [("exited", at("10:05"))] == [(cancel.reason, cancel.at) for cancel in verdict.cancels]


def test_what_has_been_sent_is_not_cancelled() -> None:
    trip = journey(a_send("offer", ", topic: offers") + "- {id: rest, wait: {for: 1d}}", policy="{topic: news}")
    known = (*KNOWN, OFFERS)
    [command] = happens(trip, GO, until=at("10:01"), known=known).commands
    sent = an_outcome(command, "sent", at("10:02"))
    verdict = happens(trip, GO, sent, revoked(at("10:05"), "offers"), until=at("11:00"), known=known)
    assert [] == verdict.cancels


@pytest.mark.parametrize(
    ("policy", "utm"),
    [
        ("{purpose: transactional}", None),
        ("{purpose: transactional, utm: none}", None),
        (
            "{purpose: transactional, utm: {hosts: [shop.example], source: kikkake}}",
            Utm(hosts=("shop.example",), source="kikkake"),
        ),
        (
            "{purpose: transactional, utm: {hosts: [a.b], source: s, medium: m, campaign: c, content: x}}",
            Utm(hosts=("a.b",), source="s", medium="m", campaign="c", content="x"),
        ),
    ],
)
def test_a_message_says_what_its_links_are_to_say(policy: str, utm: Utm | None) -> None:
    trip = journey("- {id: rest, wait: {for: 1h}}\n- {id: mail, MAIL}", policy=policy)
    [command] = happens(trip, GO, until=at("12:00")).commands
    assert utm == command.utm


@pytest.mark.parametrize(
    ("policy", "said", "tracked"),
    [
        ("{purpose: transactional}", None, True),
        ("{purpose: transactional, tracking: all}", "granted", True),
        ("{purpose: transactional, tracking: none}", "granted", False),
        ("{purpose: transactional}", "revoked", False),
    ],
)
def test_a_message_says_whether_it_may_be_tracked(policy: str, said: str | None, tracked: bool) -> None:
    trip = journey("- {id: rest, wait: {for: 1h}}\n- {id: mail, MAIL}", policy=policy)
    told_us = () if said is None else (consented(at("10:30"), "tracking", said),)
    [command] = happens(trip, GO, *told_us, until=at("12:00")).commands
    assert (tracked, False) == (command.tracked, command.text_tracked)


@pytest.mark.parametrize(("said", "tracked"), [("granted", True), ("revoked", False)])
def test_a_message_says_whether_its_plain_text_may_be_tracked(said: str, tracked: bool) -> None:
    trip = journey(
        "- {id: rest, wait: {for: 1h}}\n- {id: mail, MAIL}", policy="{purpose: transactional, tracking: with_text}"
    )
    [command] = happens(trip, GO, consented(at("10:30"), "tracking", said), until=at("12:00")).commands
    assert (tracked, tracked) == (command.tracked, command.text_tracked)
