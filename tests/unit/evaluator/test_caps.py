"""Frequency caps: rolling windows over what was sent, by contact or journey, channel and topic. One rule each."""

from __future__ import annotations

import msgspec
import pytest

from shared.messages.outcome import Outcome
from tests.builders import an_event, an_outcome, at, consented
from tests.unit.evaluator.playing import GO, KNOWN, decided, happens, journey, mailing


def gone(*times: int, cap: str = "max: 1, per: 1d") -> list[tuple[str, str | None, int]]:
    goes = [an_event("Go", when) for when in times]
    return decided(happens(mailing(f"frequency_cap: [{{{cap}}}]"), *goes, until=at("00:00", day=30)))


def test_one_a_day_is_of_any_24_hours_and_not_of_the_calendar() -> None:
    late, early = at("23:00"), at("00:05", day=1)
    assert [("send", "mail", late), ("skip", "capped", early)] == gone(late, early)


def test_a_message_exactly_a_day_old_no_longer_counts() -> None:
    assert ("skip", "capped", at("10:00", day=1) - 1) == gone(at("10:00"), at("10:00", day=1) - 1)[-1]
    assert ("send", "mail", at("10:00", day=1)) == gone(at("10:00"), at("10:00", day=1))[-1]


def test_a_skipped_message_takes_no_place() -> None:
    found = gone(at("10:00"), at("20:00"), at("10:00", day=1), at("20:00", day=1))
    assert ["send", "skip", "send", "skip"] == [decision for decision, _, _ in found]


@pytest.mark.parametrize(
    ("status", "expected"), [("failed", "send"), ("skipped", "send"), ("sent", "skip"), ("ambiguous", "skip")]
)
def test_a_message_that_never_left_gives_its_place_back(status: str, expected: str) -> None:
    trip = mailing("frequency_cap: [{max: 1, per: 1d}]")
    [command] = happens(trip, GO, until=at("10:30")).commands
    outcome: Outcome = an_outcome(command, status, at("10:05"))  # type: ignore[arg-type]  # one of four words
    verdict = happens(trip, GO, outcome, an_event("Go", at("12:00")), until=at("12:30"))
    assert (expected, at("12:00")) == (decided(verdict)[-1][0], decided(verdict)[-1][2])


def test_a_message_on_its_way_has_its_place() -> None:
    """Two at the very same moment, from two journeys: the second is capped."""
    cap = "frequency_cap: [{max: 1, per: 1d}]"
    verdict = happens((mailing(cap, name="a"), mailing(cap, name="b")), GO, until=at("10:30"))
    assert [("send", "mail", at("10:00")), ("skip", "capped", at("10:00"))] == decided(verdict)


@pytest.mark.parametrize(
    ("cap", "expected"),
    [
        ("{max: 1, per: 1d}", "skip"),
        ("{max: 1, per: 1d, scope: contact}", "skip"),
        ("{max: 1, per: 1d, scope: journey}", "send"),
        ("{max: 1, per: 1d, channel: email}", "skip"),
        ("{max: 1, per: 1d, channel: sms}", "send"),
        ("{max: 1, per: 1d, topic: offers}", "send"),
        ("{max: 1, per: 1d, topic: news}", "skip"),
        ("{max: 2, per: 1d}", "send"),
    ],
)
def test_what_a_cap_counts(cap: str, expected: str) -> None:
    """Another journey, which has no cap of its own, has sent an e-mail about news."""
    verdict = happens((mailing("", name="a"), mailing(f"frequency_cap: [{cap}]", name="b")), GO, until=at("10:30"))
    assert ["send", expected] == [decision for decision, _, _ in decided(verdict)]


def test_a_topics_cap_counts_messages_of_that_topic_only() -> None:
    cap = "frequency_cap: [{max: 1, per: 1d, topic: news}]"
    other, news = mailing("", name="a", topic="offers"), mailing(cap, name="b")
    both = (*KNOWN, consented(at("08:00") + 1, "offers"))
    both = (*both[:2], msgspec.structs.replace(both[2], message_id="offers"))
    verdict = happens((other, news), GO, until=at("10:30"), known=both)
    assert ["send", "send"] == [decision for decision, _, _ in decided(verdict)]


def test_what_is_transactional_counts_for_no_cap() -> None:
    order = journey("- {id: mail, MAIL}", name="a")
    verdict = happens((order, mailing("frequency_cap: [{max: 1, per: 1d}]", name="b")), GO, until=at("10:30"))
    assert ["send", "send"] == [decision for decision, _, _ in decided(verdict)]


def test_a_capped_message_waits_until_there_is_room() -> None:
    assert [
        ("send", "mail", at("10:00")),
        ("deferred", "capped", at("20:00")),
        ("send", "mail", at("10:00", day=1)),
    ] == gone(at("10:00"), at("20:00"), cap="max: 1, per: 1d, when_capped: defer")


def test_with_two_places_the_third_waits_for_the_first_to_age() -> None:
    found = gone(at("10:00"), at("12:00"), at("14:00"), cap="max: 2, per: 1d, when_capped: defer")
    assert ("send", "mail", at("10:00", day=1)) == found[-1]


def test_two_that_wait_for_one_place_do_not_both_take_it() -> None:
    found = gone(at("10:00"), at("12:00"), at("14:00"), cap="max: 1, per: 1d, when_capped: defer")
    assert [at("10:00"), at("10:00", day=1), at("10:00", day=2)] == [when for what, _, when in found if what == "send"]


def test_a_capped_run_may_end() -> None:
    found = gone(at("10:00"), at("20:00"), cap="max: 1, per: 1d, when_capped: exit")
    assert [("skip", "capped", at("20:00")), ("exited", "capped", at("20:00"))] == found[-2:]


@pytest.mark.parametrize(("most", "expected"), [("13h", "skip"), ("14h", "deferred")])
def test_a_message_never_waits_longer_than_max_defer(most: str, expected: str) -> None:
    found = gone(at("10:00"), at("20:00"), cap=f"max: 1, per: 1d, when_capped: defer, max_defer: {most}")
    assert (expected, "capped", at("20:00")) == found[1]


BOTH = "send: {channels: [email, sms], template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}}"


def by_channels(caps: str, *times: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return the decision at each of ``times`` with the channels that the message may take."""
    always = "entry: {reentry: {mode: always}}"
    trip = journey(f"- {{id: mail, {BOTH}}}", policy=f"{{topic: news, frequency_cap: [{caps}]}}", more=always)
    verdict = happens(trip, *(an_event("Go", when) for when in times), until=at("00:00", day=9))
    channels = {command.command_id: command.channels for command in verdict.commands}
    asked = [it for it in verdict.journal if it.decision in ("send", "skip", "deferred")]
    return [(it.reason or it.decision, channels.get(it.command_id or "", ())) for it in asked]


def test_a_capped_channel_makes_way_for_the_next() -> None:
    """And when all are full, nothing leaves."""
    email, sms = (f"{{max: 1, per: 1d, channel: {name}, when_capped: next_channel}}" for name in ("email", "sms"))
    assert [
        ("send", ("email", "sms")),
        ("send", ("sms",)),
        ("capped", ()),
    ] == by_channels(f"{email}, {sms}", at("10:00"), at("11:00"), at("12:00"))


def test_the_next_channel_is_asked_for_every_cap_whatever_their_order() -> None:
    """The cap on text messages stands before the one that makes them the first choice."""
    caps = "{max: 1, per: 2d, channel: sms}, {max: 1, per: 1d, channel: email, when_capped: next_channel}"
    assert ["send", "send", "capped"] == [it[0] for it in by_channels(caps, at("10:00"), at("11:00"), at("12:00"))]


def test_a_full_channel_is_no_way_out_when_the_first_is_refused() -> None:
    caps = "{max: 1, per: 2d, channel: sms}, {max: 1, per: 1d, channel: email, when_capped: next_channel}"
    found = by_channels(caps, at("10:00"), at("11:00"), at("11:00", day=1))
    assert [("send", ("email", "sms")), ("send", ("sms",)), ("send", ("email",))] == found


def test_the_channel_that_took_the_message_is_the_one_that_counts() -> None:
    """E-mail was refused and the text message left instead."""
    trip = journey(
        f"- {{id: mail, {BOTH}}}",
        policy="{topic: news, frequency_cap: [{max: 1, per: 1d, channel: sms}, {max: 1, per: 1d, channel: email}]}",
        more="entry: {reentry: {mode: always}}",
    )
    [command] = happens(trip, GO, until=at("10:30")).commands
    outcome = msgspec.structs.replace(an_outcome(command, "sent", at("10:05")), channel="sms")
    verdict = happens(trip, GO, outcome, an_event("Go", at("11:00")), until=at("12:00"))
    assert [("email", "sms"), ("email",)] == [command.channels for command in verdict.commands]
