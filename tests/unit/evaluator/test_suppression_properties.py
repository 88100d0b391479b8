"""Whatever happens to a contact's addresses, in whatever order: nothing is sent to one that is given up."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clock import MINUTE
from shared.ids import address_tag
from shared.messages.event import Event
from tests.builders import an_event, at, identified
from tests.unit.evaluator.playing import happens, journey

ADDRESSES = ("a@example.jp", "b@example.jp", "c@example.jp")
ACTIONS = st.one_of(
    st.tuples(st.just("move"), st.sampled_from(ADDRESSES)),
    st.tuples(st.just("bounce"), st.sampled_from(ADDRESSES)),
    st.tuples(st.sampled_from(["complain", "lift", "go"]), st.just("")),
)
MAILS = journey("- {id: mail, MAIL}", more="entry: {reentry: {mode: always}}")


def as_event(action: str, place: str, when: int) -> Event:
    match action:
        case "move":
            return identified(when, email=place)
        case "bounce":
            tag = address_tag("email", place)
            return an_event("Message Bounced", when, channel="email", bounce="hard", address_tag=tag)
        case "complain":
            return an_event("Message Complained", when, channel="email")
        case "lift":
            return an_event("Suppression Lifted", when, channel="email")
    return an_event("Go", when)


def expected(actions: list[tuple[str, str]]) -> list[str | None]:
    """Return, for each start in turn, the address that is written to, None for nobody: the rule, in a few lines."""
    current, dead, found = ADDRESSES[0], set[str](), list[str | None]()
    for action, place in actions:
        match action:
            case "move":
                current = place
            case "bounce":
                dead.add(place)
            case "complain":
                dead.add(current)
            case "lift":
                dead.clear()
            case _:
                found.append(None if current in dead else current)
    return found


@given(st.lists(ACTIONS, max_size=25))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_sent_to_an_address_that_is_given_up(actions: list[tuple[str, str]]) -> None:
    events = [as_event(*action, at("09:00") + place * MINUTE) for place, action in enumerate(actions)]
    verdict = happens(MAILS, *events, until=at("12:00"), known=(identified(at("08:00"), email=ADDRESSES[0]),))
    written = [command.addresses["email"] for command in verdict.commands]
    skipped = [record.reason for record in verdict.journal if record.decision == "skip"]
    wanted = expected(actions)
    assert [place for place in wanted if place is not None] == written
    assert ["suppressed"] * wanted.count(None) == skipped
