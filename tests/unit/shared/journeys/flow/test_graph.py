"""How each verb stands in the graph: what it sends, how long it takes, whether a loop through it waits."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clock import DAY, HOUR
from shared.journeys.flow.graph import flow_of
from shared.journeys.flow.measures import longest, most_sends
from shared.journeys.flow.proofs import study, verdict
from shared.journeys.flow.structure import restless
from shared.journeys.flow.times import span_length
from shared.journeys.flow.unfold import unfold
from shared.journeys.model import (
    Awaited,
    Call,
    Collect,
    Emit,
    Enrol,
    EventTrigger,
    Goto,
    Journey,
    Notify,
    Send,
    Step,
    Template,
    WaitFor,
)
from shared.journeys.promises import MaxDuration, MaxSends, NoSendAfter
from shared.journeys.sending import Cap, Policy, QuietHours, SendWindow

TEXTS = Template(id="t", locales={"default": {"email": {"text": "Hello"}, "sms": {"text": "Hello"}}})
MAIL = Send(id="mail", channels=("email",), template=TEXTS)
BOTH = Send(id="both", channels=("email", "sms"), template=TEXTS, mode="all")


def journey(*steps: Step, **policy: Any) -> Journey:
    rules = Policy(**({"purpose": "transactional"} | policy))
    return Journey(id="a", version=1, triggers=(EventTrigger(event="Go"),), steps=steps, policy=rules)


def loops(step: Step) -> bool:
    """Tell whether a loop through ``step`` could turn without a wait."""
    return bool(list(restless(flow_of(journey(step, Goto(id="again", step=step.id, max_visits=2))))))


def lasts(*steps: Step, **policy: Any) -> int | None:
    unfolded = unfold(flow_of(journey(*steps, **policy)))
    assert unfolded is not None
    return longest(unfolded).most


def sends(*steps: Step) -> int:
    unfolded = unfold(flow_of(journey(*steps)))
    assert unfolded is not None
    found = most_sends(unfolded)
    assert found is not None
    return found.sends


def test_a_send_to_all_channels_is_a_message_each_and_staff_is_no_contact() -> None:
    assert 3 == sends(
        MAIL, BOTH, Notify(id="n", channel="slack", to=("x",), template=TEXTS), Enrol(id="e", journey="b")
    )


def test_the_policys_limit_counts_each_message_of_a_send_to_all_channels() -> None:
    known = study(journey(MAIL, BOTH, BOTH, max_sends=2))
    assert 2 == known.sends
    assert "refuted" == verdict(known, MaxSends(1)).status
    assert "proved" == verdict(known, MaxSends(2)).status


def test_a_call_takes_its_timeout_and_a_collection_its_time_at_most() -> None:
    assert HOUR == lasts(Call(id="c", connector="x", timeout=HOUR))
    assert DAY == lasts(Collect(id="c", event="X", duration=DAY, save_as="x"))


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Call(id="c", connector="x"), True),
        (Emit(id="e", event="X"), True),
        (Collect(id="c", event="X", duration=DAY, save_as="x"), False),
        (Collect(id="c", event="X", duration=DAY, save_as="x", most=1), True),
        (WaitFor(id="w", any=(Awaited(id="x", event="X"),)), False),
        (WaitFor(id="w", any=(Awaited(id="x", event="X"),), since="entry"), True),
        (WaitFor(id="w", any=(Awaited(id="x", event="X"),), timeout=0), True),
    ],
)
def test_what_may_be_over_at_once_is_no_wait_in_a_loop(step: Step, expected: bool) -> None:
    assert expected == loops(step)


def test_an_event_may_happen_while_a_call_is_out_or_a_message_is_deferred() -> None:
    for steps, policy in (
        ((Call(id="c", connector="x"), MAIL), {}),
        ((MAIL,), {"purpose": "marketing", "quiet_hours": QuietHours(start="21:00", end="08:00")}),
    ):
        assert "refuted" == verdict(study(journey(*steps, **policy)), NoSendAfter("X")).status
    assert "proved" == verdict(study(journey(MAIL)), NoSendAfter("X")).status


QUIET = QuietHours(start="21:00", end="08:00", max_defer=12 * HOUR)


@pytest.mark.parametrize(
    ("policy", "expires", "expected"),
    [
        ({"quiet_hours": QUIET}, None, 12 * HOUR),
        ({"quiet_hours": QUIET}, HOUR, HOUR),
        ({"quiet_hours": QuietHours(start="21:00", end="08:00")}, None, None),
        ({"quiet_hours": QuietHours(start="21:00", end="08:00")}, 2 * HOUR, 2 * HOUR),
        ({"quiet_hours": QuietHours(start="21:00", end="08:00", when_quiet="skip")}, None, 0),
        ({"quiet_hours": QUIET, "caps": (Cap(max=1, per=DAY, when_capped="defer", max_defer=2 * DAY),)}, None, 2 * DAY),
        ({"quiet_hours": QUIET, "send_window": SendWindow(start="09:00", end="18:00")}, None, None),
        ({"caps": (Cap(max=1, per=DAY),)}, None, 0),
        ({"quiet_hours": QUIET, "purpose": "transactional"}, None, 0),
    ],
)
def test_how_long_a_message_may_be_put_off(policy: dict[str, Any], expires: int | None, expected: int | None) -> None:
    mail = Send(id="mail", channels=("email",), template=TEXTS, expires=expires)
    assert expected == lasts(mail, **{"purpose": "marketing", "topic": "news", **policy})


def test_a_steps_own_policy_counts_for_it() -> None:
    own = Send(id="own", channels=("email",), template=TEXTS, policy=Policy(topic="news", quiet_hours=QUIET))
    assert 12 * HOUR == lasts(own)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("P0D", (0, 0)),
        ("P1D", (23 * HOUR, 25 * HOUR)),
        ("P2W", (14 * DAY - HOUR, 14 * DAY + HOUR)),
        ("P1M", (28 * DAY - HOUR, 31 * DAY + HOUR)),
        ("P3M", (89 * DAY - HOUR, 92 * DAY + HOUR)),
        ("P1Y", (365 * DAY - HOUR, 366 * DAY + HOUR)),
    ],
)
def test_a_calendar_span_has_an_hour_to_spare_for_summer_time(span: str, expected: tuple[int, int]) -> None:
    assert expected == span_length(span)


def test_the_longest_run_ends_at_the_exit_rule_of_its_promise() -> None:
    call = Call(id="c", connector="x", timeout=2 * DAY)
    assert "refuted" == verdict(study(journey(call)), MaxDuration(DAY)).status
    assert "proved" == verdict(study(journey(call)), MaxDuration(2 * DAY)).status
