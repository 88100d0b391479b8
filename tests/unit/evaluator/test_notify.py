"""``notify``: a message to people of ours, whatever the contact wants."""

from __future__ import annotations

from shared.messages.command import SendCommand
from tests.builders import an_event, an_outcome, at, consented, identified
from tests.unit.evaluator.playing import GO, happens, journey, sends, told

TELL = """\
- id: tell
  notify:
    channel: email
    to: [crm@example.jp, {expr: contact.manager}]
    template: {email: {subject: "{{ contact.email }} left", text: "Cart {{ event.properties.cart }}"}}
- {id: mail, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}
"""
NOBODY = (identified(at("08:00"), email="a@example.jp"),)


def notified(*known: object, policy: str = "{topic: news, max_sends: 1}") -> list[SendCommand]:
    people = identified(at("08:00"), email="a@example.jp", manager="boss@example.jp")
    verdict = happens(
        journey(TELL, policy=policy), an_event("Go", at("10:00"), cart="k1"), until=at("10:00"), known=(people,)
    )
    return [command for command in verdict.commands if command.step == "tell"]


def test_each_recipient_gets_a_message_of_its_own() -> None:
    first, second = notified()
    assert [{"email": "crm@example.jp"}, {"email": "boss@example.jp"}] == [first.addresses, second.addresses]
    assert first.command_id != second.command_id
    assert ("transactional", "retry", True) == (first.purpose, first.on_ambiguous, first.to_staff)
    assert ("a@example.jp", "k1") == (first.data["contact"]["email"], first.data["event"]["properties"]["cart"])


def test_it_asks_the_contact_for_nothing_and_counts_for_nothing() -> None:
    """No consent, no address, and the one message of the run is still to be had."""
    known = (identified(at("08:00"), manager="boss@example.jp"), consented(at("08:00"), "news"))
    verdict = happens(journey(TELL, policy="{topic: news, max_sends: 1}"), GO, until=at("10:00"), known=known)
    assert 2 == len(verdict.commands)
    assert ("skip", "unreachable", at("10:00")) == told(verdict)[3], "the contact's own message, and only for that"
    [run] = verdict.states["u:c1"].ended
    assert (0, ()) == (run.sends, verdict.states["u:c1"].touches)


def test_one_that_fails_gives_the_contacts_messages_no_place_back() -> None:
    whole = journey(TELL + "- {id: rest, wait: {for: 1h}}", policy="{topic: news, max_sends: 1}")
    decided = happens(whole, GO, until=at("10:00")).commands
    failures = [an_outcome(command, "failed", at("10:01"), "refused") for command in decided if command.step == "tell"]
    verdict = happens(whole, GO, *failures, until=at("10:02"))
    [run] = verdict.states["u:c1"].runs
    assert 1 == run.sends
    assert ("failed", "refused", at("10:01")) == told(verdict)[-1]


def test_an_address_that_is_no_text_is_left_out_and_none_is_a_skip() -> None:
    known = (identified(at("08:00"), email="a@example.jp", manager=7),)
    [only] = [it for it in happens(journey(TELL), GO, until=at("10:00"), known=known).commands if it.step == "tell"]
    assert {"email": "crm@example.jp"} == only.addresses
    alone = journey(TELL.replace("crm@example.jp, ", ""))
    assert ("skip", "unreachable", at("10:00")) == told(happens(alone, GO, until=at("10:00"), known=known))[1]


def test_failing_to_tell_is_not_what_is_told_of() -> None:
    """Whoever is told of failed messages is not told of that one's failure, for ever."""
    alarm = journey(TELL.split("- {id: mail", maxsplit=1)[0], name="alarm", trigger="Message Failed")
    whole = (journey("- {id: mail, MAIL}"), alarm)
    [mail] = happens(whole, GO, until=at("10:00")).commands
    failed = an_outcome(mail, "failed", at("10:01"), "refused")
    told_of = happens(whole, GO, failed, until=at("10:02")).commands[1:]
    again = [an_outcome(command, "failed", at("10:02"), "refused") for command in told_of]
    verdict = happens(whole, GO, failed, *again, until=at("10:30"))
    assert 1 == len(
        [record for record in verdict.journal if record.decision == "entered" and record.journey == "alarm"]
    )


def test_a_notification_is_no_send() -> None:
    assert [("mail", at("10:00"))] == sends(happens(journey(TELL), GO, until=at("10:00")))


def test_slack_is_told_where_the_step_says() -> None:
    trip = journey(
        "- {id: tell, notify: {channel: slack, to: ['https://hooks.example/1'], template: {slack: {text: Gone}}}}"
    )
    [command] = happens(trip, GO, until=at("10:00"), known=NOBODY).commands
    assert (("slack",), {"slack": "https://hooks.example/1"}) == (command.channels, command.addresses)
