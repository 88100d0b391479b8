"""Addresses to which nothing is sent any more: what gives one up, what follows at once, and what lifts it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.evaluator.core.state import Suppressed
from services.evaluator.core.suppression import SUPPRESSED_AT_MOST, merged_suppressions
from services.evaluator.core.view import view_of
from shared.ids import address_tag
from shared.messages.contact import AsOf, SuppressedAddress
from shared.messages.event import Event
from shared.messages.outcome import Attempt, DeadAddress
from tests.builders import an_event, an_outcome, at, consented, identified
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, KNOWN, decided, happens, journey, told

TEXTS = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}"
BY_MAIL = "- {id: mail, MAIL}"
BY_EITHER = f"- {{id: mail, send: {{channels: [email, sms], {TEXTS}}}}}"
BOUNCE = an_event("Message Bounced", at("09:00"), channel="email", bounce="hard")
COMPLAINT = an_event("Message Complained", at("09:00"), channel="email")
MARKETING = "{topic: news}"


def channels(verdict: Verdict) -> list[tuple[str, ...]]:
    return [command.channels for command in verdict.commands if hasattr(command, "channels")]


def kept(verdict: Verdict) -> list[tuple[str, str]]:
    return [(one.channel, one.reason) for one in verdict.states["u:c1"].suppressed]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (BOUNCE, [("email", "bounced")]),
        (COMPLAINT, [("email", "complained")]),
        (an_event("Message Complained", at("09:00")), [("email", "complained")]),
        (an_event("Message Bounced", at("09:00"), channel="sms", bounce="hard"), [("sms", "bounced")]),
        (an_event("Message Bounced", at("09:00"), channel="email", bounce="soft"), []),
        (an_event("Message Bounced", at("09:00"), channel="email"), []),
        (an_event("Message Bounced", at("09:00"), channel="line", bounce="hard"), []),
        (an_event("Message Bounced", at("09:00"), channel=["email"], bounce="hard"), []),
        (an_event("Browsed", at("09:00"), channel="email", bounce="hard"), []),
    ],
)
def test_a_hard_bounce_or_a_complaint_gives_the_address_up(event: Event, expected: list[tuple[str, str]]) -> None:
    assert expected == kept(happens(journey(BY_MAIL), event, until=at("10:00")))


@pytest.mark.parametrize("policy", ["{purpose: transactional}", MARKETING])
def test_nothing_is_sent_to_it_whatever_the_purpose(policy: str) -> None:
    verdict = happens(journey(BY_MAIL, policy=policy), BOUNCE, GO, until=at("11:00"))
    assert [("suppressed", "bounced", at("09:00")), ("skip", "suppressed", at("10:00"))] == decided(verdict)


def test_the_next_channel_is_taken() -> None:
    assert [("email", "sms")] == channels(happens(journey(BY_EITHER), GO, until=at("11:00")))
    assert [("sms",)] == channels(happens(journey(BY_EITHER), BOUNCE, GO, until=at("11:00")))


def test_by_mode_all_the_dead_one_alone_is_skipped() -> None:
    steps = BY_EITHER.replace("[email, sms]", "[email, sms], mode: all")
    verdict = happens(journey(steps), BOUNCE, GO, until=at("11:00"))
    assert [("sms",)] == channels(verdict)
    assert [("email", "suppressed")] == [(it.channel, it.reason) for it in verdict.journal if it.decision == "skip"]


def test_another_address_is_sent_to_and_the_old_one_stays_given_up() -> None:
    again = an_event("Go", at("12:00"))
    new, old = identified(at("09:30"), email="b@example.jp"), identified(at("11:00"), email="A@Example.JP ")
    verdict = happens(journey(BY_MAIL), BOUNCE, new, GO, old, again, until=at("13:00"))
    assert [at("10:00")] == [it.at for it in verdict.journal if it.decision == "send"]
    assert [at("12:00")] == [it.at for it in verdict.journal if it.decision == "skip"]


def test_a_report_names_the_address_to_which_the_message_went() -> None:
    """It comes when the contact has another one already."""
    new = identified(at("08:30"), email="b@example.jp")
    late = msgspec.structs.replace(
        BOUNCE, properties={**BOUNCE.properties, "address_tag": address_tag("email", "a@example.jp")}
    )
    verdict = happens(journey(BY_MAIL), new, late, GO, until=at("11:00"))
    assert [("email", "bounced")] == kept(verdict)
    assert [("email",)] == channels(verdict)


def test_reachable_does_not_count_it() -> None:
    asks = "- {id: way, branch: [{if: {reachable: [email]}, then: [{id: yes_it_is, exit: {reason: by_mail}}]}]}"
    assert "by_mail" == happens(journey(asks), GO, until=at("11:00")).journal[-1].reason
    assert "completed" == happens(journey(asks), BOUNCE, GO, until=at("11:00")).journal[-1].reason


def test_what_waits_to_be_sent_to_it_is_called_back_and_nothing_else() -> None:
    both = (journey(BY_MAIL, name="one"), journey(BY_EITHER.replace("[email, sms]", "[sms]"), name="two"))
    bounce = msgspec.structs.replace(BOUNCE, timestamp=at("10:30"), received_at=at("10:30"))
    verdict = happens(both, GO, bounce, until=at("11:00"))
    [by_mail] = [command for command in verdict.commands if command.journey == "one"]
    assert [(by_mail.command_id, "suppressed")] == [(it.command_id, it.reason) for it in verdict.cancels]


def test_a_complaint_takes_consent_back_for_the_channel() -> None:
    """A new address does not bring it back; another channel keeps it."""
    new = identified(at("09:30"), email="b@example.jp")
    known = (*KNOWN, consented(at("08:00") + 1, "sale"), consented(at("08:00") + 2, "tracking"))
    verdict = happens(journey(BY_EITHER, policy=MARKETING), COMPLAINT, new, GO, known=known, until=at("11:00"))
    assert [("sms",)] == channels(verdict)
    said = {topic: one.granted for topic, one in verdict.states["u:c1"].consent.items()}
    assert {"news": True, "news/email": False, "sale": True, "sale/email": False, "tracking": True} == said


@pytest.mark.parametrize("why", ["unregistered", "invalid", "opted_out"])
def test_an_address_that_the_provider_calls_dead_is_given_up(why: DeadAddress) -> None:
    [command] = happens(journey(BY_MAIL), GO, until=at("10:01")).commands
    dead = msgspec.structs.replace(an_outcome(command, "failed", at("10:02"), "refused"), dead=why)
    verdict = happens(journey(BY_MAIL), GO, dead, an_event("Go", at("12:00")), until=at("13:00"))
    assert [("email", why)] == kept(verdict)
    assert ("skip", "suppressed", at("12:00")) in told(verdict)
    [noted] = [it for it in verdict.journal if it.decision == "suppressed"]
    assert ("trip", 1, command.command_id, "email") == (noted.journey, noted.version, noted.command_id, noted.channel)


def test_the_address_is_the_one_of_the_command_and_not_the_present_one() -> None:
    [command] = happens(journey(BY_MAIL), GO, until=at("10:01")).commands
    new = identified(at("10:01"), email="b@example.jp")
    dead = msgspec.structs.replace(an_outcome(command, "failed", at("10:02"), "refused"), dead="invalid")
    verdict = happens(journey(BY_MAIL), GO, new, dead, an_event("Go", at("12:00")), until=at("13:00"))
    assert [("email",), ("email",)] == channels(verdict)


def test_an_address_is_dead_also_where_the_next_channel_took_the_message() -> None:
    [command] = happens(journey(BY_EITHER), GO, until=at("10:01")).commands
    tried = (Attempt(channel="email", reason="unregistered", dead="unregistered"),)
    sent = msgspec.structs.replace(an_outcome(command, "sent", at("10:02")), channel="sms", tried=tried)
    assert [("email", "unregistered")] == kept(happens(journey(BY_EITHER), GO, sent, until=at("11:00")))


def test_what_is_sent_to_staff_says_nothing_of_the_contact() -> None:
    tell = "- {id: tell, notify: {channel: email, to: crm@shop.example, template: {email: {subject: Hi, text: Hi}}}}"
    [command] = happens(journey(tell), GO, until=at("10:01")).commands
    dead = msgspec.structs.replace(an_outcome(command, "failed", at("10:02"), "refused"), dead="invalid")
    assert [] == kept(happens(journey(tell), GO, dead, until=at("11:00")))


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"channel": "email"}, []),
        ({"channel": "email", "reason": "bounced"}, []),
        ({"channel": "email", "reason": "opted_out"}, [("email", "bounced")]),
        ({"channel": "sms"}, [("email", "bounced")]),
    ],
)
def test_it_is_lifted_again(properties: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    lifted = an_event("Suppression Lifted", at("09:30"), **properties)
    verdict = happens(journey(BY_MAIL), BOUNCE, lifted, GO, until=at("11:00"))
    assert expected == kept(verdict)
    assert (not expected) is (("send", "mail", at("10:00")) in told(verdict))


def test_a_complaint_goes_before_a_bounce_and_a_repeat_changes_nothing() -> None:
    again = msgspec.structs.replace(BOUNCE, message_id="again", timestamp=at("09:20"), received_at=at("09:20"))
    later = msgspec.structs.replace(COMPLAINT, timestamp=at("09:10"), received_at=at("09:10"))
    verdict = happens(journey(BY_MAIL), BOUNCE, later, again, until=at("10:00"))
    assert [Suppressed("email", address_tag("email", "a@example.jp"), "complained", at("09:10"))] == list(
        verdict.states["u:c1"].suppressed
    )
    assert ["bounced", "complained"] == [it.reason for it in verdict.journal if it.decision == "suppressed"]


def test_no_more_than_so_many_are_remembered() -> None:
    bounces = [
        an_event("Message Bounced", at("09:00") + tag, message_id=str(tag), bounce="hard", address_tag=tag)
        for tag in range(SUPPRESSED_AT_MOST + 5)
    ]
    found = happens(journey(BY_MAIL), *bounces, until=at("10:00")).states["u:c1"].suppressed
    assert list(range(5, SUPPRESSED_AT_MOST + 5)) == [one.address for one in found]


def test_of_two_contacts_each_dead_address_is_kept_as_it_was_first_known() -> None:
    first, again, other = (
        Suppressed("email", 7, "bounced", 10),
        Suppressed("email", 7, "complained", 20),
        Suppressed("sms", 7, "invalid", 15),
    )
    assert (first, other) == merged_suppressions((again,), (other, first))


def test_the_profile_tells_of_it_without_the_address() -> None:
    state = happens(journey(BY_MAIL), BOUNCE, until=at("10:00")).states["u:c1"]
    as_of = AsOf(partition=0, offset=1, log_time=1, caught_up=True)
    assert (SuppressedAddress("email", "bounced", True, at("09:00")),) == view_of(state, as_of).suppressed
    moved = msgspec.structs.replace(state, traits={"email": "b@example.jp"})
    assert (SuppressedAddress("email", "bounced", False, at("09:00")),) == view_of(moved, as_of).suppressed


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        (
            "Address Suppressed",
            {"channel": "line", "reason": "unregistered", "address_tag": 7},
            [("line", "unregistered")],
        ),
        ("Address Suppressed", {"channel": "sms"}, [("sms", "opted_out")]),
        ("Address Suppressed", {"channel": "sms", "reason": "no such reason"}, [("sms", "opted_out")]),
        ("Address Suppressed", {"channel": "line"}, []),
        ("Message Bounced", {"channel": "sms", "bounce": "hard", "dead": "opted_out"}, [("sms", "opted_out")]),
        ("Message Bounced", {"channel": "sms", "bounce": "hard", "dead": "nonsense"}, [("sms", "bounced")]),
        ("Message Bounced", {"channel": "sms", "bounce": "soft", "dead": "opted_out"}, []),
    ],
)
def test_whoever_gives_an_address_up_says_why(name: str, properties: dict[str, Any], expected: list[Any]) -> None:
    event = an_event(name, at("09:00"), **properties)
    assert expected == kept(happens(journey(BY_MAIL), event, until=at("10:00")))


def test_who_unsubscribes_at_the_provider_gets_no_marketing_by_that_channel() -> None:
    """The provider knows no topic. The page of ours names it, and states the consent beside it."""
    by_provider = an_event("Unsubscribed", at("09:00"), channel="email", command_id="6a1f1f0e-8f0c-5b7e")
    by_page = an_event("Unsubscribed", at("09:00"), channel="email", command_id="6a1f1f0e-8f0c-5b7e", topic="other")
    trip = journey(BY_EITHER, policy=MARKETING)
    assert [("sms",)] == channels(happens(trip, by_provider, GO, until=at("11:00")))
    assert [("email", "sms")] == channels(happens(trip, by_page, GO, until=at("11:00")))
    assert [] == kept(happens(trip, by_provider, until=at("10:00")))
