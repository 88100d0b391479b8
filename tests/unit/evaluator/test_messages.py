"""What a contact's row keeps of its last messages, for whoever asks about the contact."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.messages import MESSAGES_AT_MOST
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState, Message
from services.evaluator.core.view import view_of
from shared.messages.contact import AsOf
from shared.messages.outcome import OutcomeStatus
from tests.builders import an_event, an_outcome, at
from tests.oracle import Verdict
from tests.unit.evaluator.playing import GO, MAIL, happens, journey, mailing, revoked
from tests.unit.evaluator.test_migration import World

NIGHT = "quiet_hours: {from: '09:00', to: '11:00'}"


def kept(verdict: Verdict) -> list[tuple[str, str, str, str, int]]:
    """Return each message that the row keeps: step, status, reason, channel, when."""
    return [(it.step, it.status, it.reason, it.channel, it.at) for it in verdict.states["u:c1"].messages]


def shown(state: ContactState) -> list[tuple[str, str, str | None]]:
    """Return each message that is shown, the newest first: step, status, reason."""
    view = view_of(state, AsOf(0, 0, 0, caught_up=True))
    return [(message.step, message.status, message.reason) for message in view.messages]


def test_a_message_is_pending_from_its_decision_to_its_outcome() -> None:
    verdict = happens(journey("- {id: mail, MAIL}"), GO, until=at("11:00"))
    [command] = verdict.commands
    [message] = verdict.states["u:c1"].messages
    assert Message(command.command_id, "trip", "mail", "pending", at("10:00"), "email") == message


@pytest.mark.parametrize(
    ("status", "reason"), [("sent", None), ("skipped", "expired"), ("failed", "bounced"), ("ambiguous", None)]
)
def test_its_outcome_takes_its_place(status: OutcomeStatus, reason: str | None) -> None:
    steps = journey("- {id: mail, MAIL}\n- {id: rest, wait: {for: 1h}}\n- {id: again, MAIL}")
    [command] = happens(steps, GO, until=at("10:01")).commands
    outcome = an_outcome(command, status, at("10:02"), reason)
    verdict = happens(steps, GO, outcome, until=at("10:30"))
    assert [("mail", status, reason or "", "email", at("10:02"))] == kept(verdict)


def test_what_is_not_sent_has_its_reason_and_the_id_that_it_would_have_had() -> None:
    sent = happens(mailing(""), GO, until=at("10:30"))
    stopped = happens(mailing(""), revoked(at("09:00"), "news"), GO, until=at("10:30"))
    assert [("mail", "skipped", "no_consent", "", at("10:00"))] == kept(stopped)
    assert sent.commands[0].command_id == stopped.states["u:c1"].messages[0].command_id


def test_a_message_that_is_deferred_becomes_the_one_that_is_sent() -> None:
    before = happens(mailing(NIGHT), GO, until=at("10:30"))
    after = happens(mailing(NIGHT), GO, until=at("11:30"))
    assert [("mail", "deferred", "quiet_hours", "", at("10:00"))] == kept(before)
    assert [("mail", "pending", "", "email", at("11:00"))] == kept(after)
    assert [("mail", "deferred", "quiet_hours")] == shown(before.states["u:c1"])


def test_a_deferred_message_of_a_run_that_has_ended_is_shown_as_skipped() -> None:
    trip = mailing(NIGHT, more="exit: [{reason: bought, event: Bought}]")
    verdict = happens(trip, GO, an_event("Bought", at("10:10")), until=at("10:30"))
    assert [("mail", "skipped", "exited")] == shown(verdict.states["u:c1"])


def test_the_messages_of_one_step_by_several_channels_are_told_apart() -> None:
    texts = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}"
    send = f"{{channels: [email, sms], mode: all, quiet_hours: {{from: '09:00', to: '11:00'}}, {texts}}}"
    trip = journey(f"- {{id: tell, send: {send}}}", policy="{topic: news}")
    verdict = happens(trip, GO, until=at("10:30"))
    assert [("tell", "deferred", "quiet_hours"), ("tell", "deferred", "quiet_hours")] == shown(verdict.states["u:c1"])
    assert ["email", "sms"] == [message.channel for message in verdict.states["u:c1"].messages]


def test_a_deferred_message_goes_on_under_the_new_name_of_its_step() -> None:
    policy = f"{{topic: news, {NIGHT}}}"
    old = journey(f"- {{id: b, {MAIL}}}", policy=policy)
    new = journey(
        f"- {{id: a, {MAIL}}}", policy=policy, version=2, more="in_flight: {migrate: [{from: 1, map: {b: a}}]}"
    )
    world = World(old)
    assert [("b", "deferred", "quiet_hours")] == shown(world.state)
    world.adopt(old, new)
    world.happens(an_event("Looked", at("10:30")))
    assert [("a", "deferred", "quiet_hours")] == shown(world.state)
    world.run_to(at("12:00"))
    assert [("a", "pending", None)] == shown(world.state)
    assert [command.command_id for command in world.commands] == [it.command_id for it in world.state.messages]


def test_what_goes_to_people_of_ours_is_none_of_its_messages() -> None:
    notify = "notify: {to: [team@shop.example], channel: email, template: {email: {subject: Hi, text: Hello}}}"
    trip = journey(f"- {{id: warn, {notify}}}\n- {{id: rest, wait: {{for: 1h}}}}")
    [command] = happens(trip, GO, until=at("10:01")).commands
    assert [] == kept(happens(trip, GO, an_outcome(command, "sent", at("10:02")), until=at("10:30")))


def test_the_last_ones_are_kept_and_shown_newest_first() -> None:
    trip = journey("- {id: mail, MAIL}", more="entry: {reentry: {mode: always}}")
    goes = [an_event("Go", at("10:00") + number) for number in range(MESSAGES_AT_MOST + 3)]
    state = happens(trip, *goes, until=at("11:00")).states["u:c1"]
    assert [at("10:00") + number for number in range(3, 23)] == [message.at for message in state.messages]
    view = view_of(state, AsOf(0, 0, 0, caught_up=True))
    assert [message.command_id for message in state.messages] == [it.command_id for it in reversed(view.messages)]


def test_a_row_of_an_earlier_release_learns_of_a_message_by_its_outcome() -> None:
    """It has no messages yet, and everything else that follows is the same."""
    trip = journey("- {id: mail, MAIL}\n- {id: rest, wait: {for: 1h}}")
    verdict = happens(trip, GO, until=at("10:01"))
    [command] = verdict.commands
    state = verdict.states["u:c1"]
    occurrence = EventArrived(an_outcome(command, "sent", at("10:02")), at("10:02"))
    catalog = build_catalog([trip])
    older = advance(catalog, msgspec.structs.replace(state, messages=()), occurrence)
    assert [("mail", "sent", None)] == shown(older.state)
    assert older == advance(catalog, state, occurrence)
