"""``message`` and ``online``: what became of a run's own message, and whether the contact is here now."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.evaluator.core.conditions import holds
from services.evaluator.core.state import ContactState
from shared.ids import command_id
from shared.journeys.predicate import MessageWas, Online
from shared.messages.event import Event
from shared.messages.outcome import Outcome
from tests.builders import an_event, an_outcome, at
from tests.unit.evaluator.playing import GO, happens, journey, told
from tests.unit.evaluator.test_conditions import RUN, a_scope

ASKS = """
- {id: hello, MAIL}
- {id: rest, wait: {for: 1h}}
- id: way
  branch:
    - if: {message: {step: hello, was: WAS}}
      then: [{id: yes_it_was, exit: {reason: it_was}}]
"""


def asking(was: str) -> str:
    return ASKS.replace("WAS", was)


def ended(was: str, *events: Event | Outcome, steps: str = ASKS) -> str | None:
    """Return how a run ends that asks at 11:00 what became of its message of 10:00."""
    verdict = happens(journey(steps.replace("WAS", was)), GO, *events, until=at("11:00:01"))
    [reason] = [record.reason for record in verdict.journal if record.decision == "exited"]
    return reason


def sent_run() -> tuple[str, str]:
    """Return the run's id and its command's."""
    verdict = happens(journey(asking("sent")), GO, until=at("10:01"))
    [command] = verdict.commands
    return command.run_id, command.command_id


RUN_ID, COMMAND_ID = sent_run()
OF_RUN: dict[str, Any] = {
    "journey": "trip",
    "step": "hello",
    "run_id": RUN_ID,
    "command_id": COMMAND_ID,
    "channel": "email",
}


@pytest.mark.parametrize(
    ("name", "was"),
    [
        ("Message Delivered", {"delivered"}),
        ("Message Opened", {"delivered", "opened"}),
        ("Message Clicked", {"delivered", "opened", "clicked"}),
        ("Message Bounced", {"bounced"}),
        ("Message Complained", set()),
        ("Message Sent", set()),
        ("Browsed", set()),
    ],
)
def test_an_event_says_what_became_of_the_message(name: str, was: set[str]) -> None:
    """Who clicked has opened. That a message was sent only the dispatcher says."""
    event = an_event(name, at("10:30"), **OF_RUN)
    found = {one for one in ("sent", "delivered", "opened", "clicked", "bounced") if ended(one, event) == "it_was"}
    assert was == found


def test_sent_is_what_the_dispatcher_reports() -> None:
    [command] = happens(journey(asking("sent")), GO, until=at("10:01")).commands
    assert "it_was" == ended("sent", an_outcome(command, "sent", at("10:02")))
    assert "completed" == ended("sent", an_outcome(command, "failed", at("10:02"), "refused"))


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (OF_RUN, True),
        ({"command_id": COMMAND_ID}, True),
        ({"command_id": "another", "run_id": RUN_ID, "step": "hello"}, False),
        ({"run_id": RUN_ID, "step": "hello"}, True),
        ({"run_id": RUN_ID, "step": "rest"}, False),
        ({"run_id": "another", "journey": "trip", "step": "hello"}, False),
        ({"journey": "trip", "step": "hello"}, True),
        ({"journey": "another", "step": "hello"}, False),
        ({"journey": "trip"}, False),
        ({}, False),
    ],
)
def test_the_command_names_the_message_else_the_run_else_the_journey(
    properties: dict[str, Any], expected: bool
) -> None:
    opened = an_event("Message Opened", at("10:30"), message_id="opened", **properties)
    assert expected is (ended("opened", opened) == "it_was")


def test_a_message_that_was_sent_again_is_a_new_one() -> None:
    steps = """
    - {id: hello, MAIL}
    - {id: rest, wait: {for: 1h}}
    - {id: again, goto: {step: hello, max_visits: 2}}
    - id: way
      branch:
        - if: {message: {step: hello, was: opened}}
          then: [{id: yes_it_was, exit: {reason: it_was}}]
    """

    def reason(when: int, visit: int) -> str | None:
        opened = an_event("Message Opened", when, command_id=command_id(RUN_ID, "hello", visit))
        verdict = happens(journey(steps), GO, opened, until=at("12:00:01"))
        return verdict.journal[-1].reason

    assert "completed" == reason(at("10:30"), 1)
    assert "completed" == reason(at("11:30"), 1)
    assert "it_was" == reason(at("11:30"), 2)


def test_a_goal_that_is_credited_converts_its_message() -> None:
    goal = "goals: [{id: bought, event: Bought, window: 1d}]"
    verdict = happens(
        journey(asking("converted"), more=goal), GO, an_event("Bought", at("10:30")), until=at("11:00:01"), deliver=True
    )
    assert ("exited", "it_was", at("11:00")) in told(verdict)
    assert "completed" == ended("converted", an_event("Bought", at("10:30")))


def test_a_wait_for_goes_on_when_the_message_is_opened() -> None:
    steps = """
    - {id: hello, MAIL}
    - id: hear
      wait_for:
        any: [{id: read, if: {message: {step: hello, was: opened}}, then: [{id: end, exit: {reason: read}}]}]
        timeout: {after: 1d}
    """
    opened = an_event("Message Opened", at("10:30"), **OF_RUN)
    assert ("exited", "read", at("10:30")) == told(happens(journey(steps), GO, opened, until=at("12:00")))[-1]


@pytest.mark.parametrize(("minutes", "expected"), [(29, False), (30, False), (31, True)])
def test_within_asks_how_long_ago(minutes: int, expected: bool) -> None:
    """Opened at 09:30 and asked at 10:00: exactly as long ago no longer counts."""
    run = msgspec.structs.replace(RUN, marks={"hello/opened": at("09:30")})
    asked = MessageWas(step="hello", was="opened", within=minutes * 60_000)
    assert expected is holds(asked, a_scope(run=run))
    assert holds(MessageWas(step="hello", was="opened"), a_scope(run=run))
    assert not holds(MessageWas(step="hello", was="opened"), a_scope())


def test_nothing_is_noted_of_a_message_that_nobody_asks_about() -> None:
    steps = "- {id: hello, MAIL}\n- {id: rest, wait: {for: 1d}}"
    verdict = happens(journey(steps), GO, an_event("Message Opened", at("10:30"), **OF_RUN), until=at("11:00"))
    [run] = verdict.states["u:c1"].runs
    assert {} == run.marks


# ---- online -------------------------------------------------------------------------------------------------------


HERE = """
- {id: rest, wait: {for: 1h}}
- id: way
  branch: [{if: {online: {within: 2m}}, then: [{id: talk, exit: {reason: here}}]}]
"""


def here(*events: Event) -> bool:
    """Tell whether the contact counts as online at 11:00."""
    verdict = happens(journey(HERE), GO, *events, until=at("11:00:01"))
    return verdict.journal[-1].reason == "here"


def test_whoever_did_something_within_the_time_is_online() -> None:
    assert here(an_event("Browsed", at("10:58") + 1))
    assert not here(an_event("Browsed", at("10:58")))
    assert not here()


def test_what_was_done_long_ago_and_comes_late_is_not_being_online() -> None:
    assert not here(an_event("Browsed", at("10:30"), received=at("10:59")))
    assert here(an_event("Browsed", at("10:59")), an_event("Browsed", at("09:00"), received=at("10:59:30")))


def test_what_a_provider_or_we_ourselves_tell_is_not_being_online() -> None:
    emits = "- {id: tell, emit: {event: Told}}\n"
    assert not here(an_event("Message Opened", at("10:59")))
    verdict = happens(
        (journey(HERE), journey(emits, name="echo", trigger="Other")),
        GO,
        an_event("Other", at("10:57")),
        until=at("11:00:01"),
    )
    assert ("exited", "completed", at("11:00")) == told(verdict)[-1]


def test_when_a_contact_was_active_is_kept_only_where_it_is_asked() -> None:
    quiet = happens(journey("- {id: rest, wait: {for: 1h}}"), GO, until=at("10:01"))
    assert 0 == quiet.states["u:c1"].active_at
    assert at("10:00") == happens(journey(HERE), GO, until=at("10:01")).states["u:c1"].active_at


def test_nobody_is_online_who_never_did_anything() -> None:
    assert not holds(Online(within=60_000), a_scope())
    scope = a_scope()
    scope.known = ContactState(contact="u:c1", active_at=at("09:59:01"))
    assert holds(Online(within=60_000), scope)


@pytest.mark.parametrize(("within", "expected"), [("31m", "it_was"), ("30m", "completed")])
def test_message_within_asks_in_a_journey_how_long_ago(within: str, expected: str) -> None:
    """Opened at 10:30, asked at 11:00: exactly as long ago no longer counts."""
    steps = ASKS.replace("was: WAS}", f"was: opened, within: {within}}}")
    opened = an_event("Message Opened", at("10:30"), message_id="opened", journey="trip", step="hello")
    assert expected == ended("opened", opened, steps=steps)
