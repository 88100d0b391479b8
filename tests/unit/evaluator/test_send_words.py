"""The words of a send that say what goes along and what follows: ``data``, ``locale``, ``on_fail``."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.advance import advance
from services.evaluator.core.catalog import catalog_of
from services.evaluator.core.occurrence import EventArrived
from services.evaluator.core.state import ContactState
from shared.journeys.model import Definitions, Template
from shared.messages.command import SendCommand
from shared.messages.outcome import Outcome, OutcomeStatus
from shared.rendering import TemplateError, render
from tests.builders import an_event, an_outcome, at, identified
from tests.unit.evaluator.playing import GO, KNOWN, decided, happens, journey, revoked, told

TEXTS = "template: {email: {subject: Hi, text: Hello}, sms: {text: Hello}}"
REST = "- {id: rest, wait: {for: 1h}}"


# ---- data ---------------------------------------------------------------------------------------------------------


def with_data(data: str) -> SendCommand:
    trip = journey(f"- {{id: tell, send: {{channels: [email], {TEXTS}, data: {data}}}}}")
    go = an_event("Go", at("10:00"), total=30, items=[1, 2])
    [command] = happens(trip, go, until=at("10:30"), known=(identified(at("08:00"), email="a@x.jp", tier=2),)).commands
    return command


def test_data_is_worked_out_at_the_decision_and_goes_with_the_command() -> None:
    command = with_data("{percent: 10, code: SPRING, twice: {expr: event.properties.total * contact.tier}}")
    assert {"percent": 10, "code": "SPRING", "twice": 60} == command.data["data"]
    assert "SPRING: 60" == render({"text": "{{ data.code }}: {{ data.twice }}"}, command.data).parts["text"]


def test_data_that_cannot_be_worked_out_is_missing_and_never_printed() -> None:
    command = with_data("{city: {expr: contact.address.city}}")
    with pytest.raises(TemplateError):
        render({"text": "{{ data.city }}"}, command.data)


def test_a_send_without_data_has_no_such_root() -> None:
    assert "data" not in with_data("{}").data


# ---- locale -------------------------------------------------------------------------------------------------------


def picked(step: str, contact: str | None, workspace: str | None) -> str:
    """Return the locale that is picked; ``step`` is what the step says of it."""
    trip = journey(f"- {{id: tell, send: {{channels: [email], {TEXTS}{step}}}}}")
    texts = {name: {"email": {"subject": name, "text": name}} for name in ("en", "ja", "fr", "de")}
    steps = tuple(msgspec.structs.replace(one, template=Template(id="t", locales=texts)) for one in trip.steps)
    trip = msgspec.structs.replace(trip, steps=steps)
    catalog = catalog_of(Definitions(journeys=(trip,), locale=workspace))
    known = identified(at("08:00"), email="a@x.jp", locale=contact, reads="ja")
    state = advance(catalog, ContactState("u:c1"), EventArrived(known, at("08:00"))).state
    [command] = advance(catalog, state, EventArrived(GO, at("10:00"))).commands
    assert isinstance(command, SendCommand)
    return command.content["email"]["subject"]


@pytest.mark.parametrize(
    ("step", "contact", "workspace", "expected"),
    [
        ("", "fr-CA", "de", "fr"),
        (", locale: ja-JP", "fr", "de", "ja"),
        (", locale: {expr: contact.reads}", "fr", "de", "ja"),
        (", locale: {expr: contact.nothing}", "fr", "de", "fr"),
        (", locale: ko", "fr", "de", "fr"),
        ("", None, "de-AT", "de"),
        ("", "ko", "de", "de"),
        ("", "ko", "ko", "en"),
        ("", None, None, "en"),
    ],
)
def test_the_locale_is_the_steps_else_the_contacts_else_the_workspaces_else_the_first(
    step: str, contact: str | None, workspace: str | None, expected: str
) -> None:
    assert expected == picked(step, contact, workspace)


# ---- on_fail ------------------------------------------------------------------------------------------------------


def failing(
    *outcomes: tuple[str, OutcomeStatus, int],
    words: str = "on_fail: exit",
    channels: str = "[email]",
    policy: str = "{purpose: transactional}",
    until: int = at("10:30"),
) -> list[tuple[str, str | None, int]]:
    """Return what is decided; ``outcomes`` are those of the messages by channel."""
    trip = journey(f"- {{id: tell, send: {{channels: {channels}, {TEXTS}, {words}}}}}\n{REST}", policy=policy)
    commands = {command.channels[0]: command for command in happens(trip, GO, until=until).commands}
    made: list[Outcome] = [an_outcome(commands[name], status, when) for name, status, when in outcomes]
    return decided(happens(trip, GO, *made, until=until))


def test_on_fail_exit_ends_the_run_when_the_message_is_skipped_for_good() -> None:
    window = "{topic: news, send_window: {from: '12:00', to: '13:00', when_outside: skip}}"
    assert [("skip", "outside_window", at("10:00")), ("exited", "send_failed", at("10:00"))] == failing(policy=window)
    assert [("skip", "outside_window", at("10:00"))] == failing(policy=window, words="on_fail: next")


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_on_fail_exit_ends_the_run_when_the_outcome_says_so(status: OutcomeStatus) -> None:
    """The run does not wait for it: it ends where it is by then."""
    assert ("exited", "send_failed", at("10:10")) == failing(("email", status, at("10:10")))[-1]
    assert "exited" not in [it[0] for it in failing(("email", status, at("10:10")), words="on_fail: next")]


@pytest.mark.parametrize("status", ["sent", "ambiguous"])
def test_a_message_that_left_or_may_have_left_has_not_failed(status: OutcomeStatus) -> None:
    assert "exited" not in [it[0] for it in failing(("email", status, at("10:10")))]


def test_a_deferral_is_no_failure() -> None:
    quiet = "{topic: news, quiet_hours: {from: '09:00', to: '10:20'}}"
    assert [("deferred", "quiet_hours", at("10:00")), ("send", "tell", at("10:20"))] == failing(policy=quiet)


def test_who_is_held_out_goes_on_as_those_do_who_are_not() -> None:
    assert [("skip", "held_out", at("10:00"))] == failing(policy="{topic: news, holdout: {percent: 100, salt: s}}")


def test_of_several_messages_the_last_one_that_fails_ends_the_run() -> None:
    words, channels = "mode: all, on_fail: exit", "[email, sms]"
    one = failing(("sms", "failed", at("10:05")), words=words, channels=channels)
    assert "exited" not in [it[0] for it in one]
    both = failing(("sms", "failed", at("10:05")), ("email", "failed", at("10:06")), words=words, channels=channels)
    assert ("exited", "send_failed", at("10:06")) == both[-1]
    left = failing(("sms", "sent", at("10:05")), ("email", "failed", at("10:06")), words=words, channels=channels)
    assert "exited" not in [it[0] for it in left]


def test_a_message_that_still_waits_may_yet_leave() -> None:
    """SMS is full until 10:20; the e-mail fails at 10:05."""
    cap = "frequency_cap: [{max: 1, per: 140m, channel: sms, when_capped: defer}]"
    words = f"mode: all, on_fail: exit, {cap}"
    trip = journey(
        f"- {{id: tell, send: {{channels: [email, sms], {TEXTS}, {words}}}}}\n{REST}", policy="{topic: news}"
    )
    early = journey(
        f"- {{id: early, send: {{channels: [sms], {TEXTS}}}}}", name="early", policy="{topic: news}", trigger="Come"
    )
    come = an_event("Come", at("08:00"))
    known = (KNOWN[0], KNOWN[1], come)
    [_, email] = happens((trip, early), GO, until=at("10:01"), known=known).commands
    failed = an_outcome(email, "failed", at("10:05"))
    verdict = happens((trip, early), GO, failed, until=at("10:30"), known=known)
    assert ("send", "tell", at("10:20")) == decided(verdict)[-1]
    without = revoked(at("10:10"), "news", "sms")
    verdict = happens((trip, early), GO, failed, without, until=at("10:30"), known=known)
    assert [("skip", "no_consent", at("10:20")), ("exited", "send_failed", at("10:20"))] == decided(verdict)[-2:]


def test_the_messages_that_the_run_decided_before_are_still_sent() -> None:
    """It ends by its own step: nothing is called back."""
    one = f"- {{id: one, send: {{channels: [email], {TEXTS}}}}}\n"
    two = "- {id: two, send: {channels: [push], template: {push: {title: Hi, body: Hello}}, on_fail: exit}}\n"
    trip = journey(one + two + REST)
    verdict = happens(trip, GO, until=at("10:30"))
    assert ("exited", "send_failed", at("10:00")) == told(verdict)[-1]
    assert [] == verdict.cancels
    assert 1 == len(verdict.commands)


def test_expires_is_counted_from_when_the_step_was_reached() -> None:
    trip = journey("- {id: mail, send: {channels: [email], expires: 12h, template: {email: {subject: Hi, text: Hi}}}}")
    [command] = happens(trip, GO, until=at("10:00")).commands
    assert at("22:00") == command.expires_at
