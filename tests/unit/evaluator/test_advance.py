"""The cart journey's rules, one by one, on the pure core."""

from __future__ import annotations

import msgspec
import pytest

from shared.messages.event import Event
from shared.messages.outcome import Attempt, Outcome
from tests.builders import CART, a_journey, a_record, an_event, an_outcome, at, consented, identified
from tests.oracle import Verdict, judge

KNOWN = (identified(at("08:00"), email="a@example.jp", first_name="Aki"), consented(at("08:00"), "cart_reminders"))


def run(*messages: Event | Outcome, until: int, known: tuple[Event, ...] = KNOWN, journey: str = CART) -> Verdict:
    log = [
        a_record(n, m, timestamp=getattr(m, "received_at", m.timestamp if isinstance(m, Event) else m.at))
        for n, m in enumerate((*known, *messages))
    ]
    return judge([a_journey(journey)], log, until=until)


def told(verdict: Verdict) -> list[tuple[str, str | None, int]]:
    return [(record.decision, record.reason or record.step, record.at) for record in verdict.journal]


def test_a_reminder_leaves_45_minutes_after_the_last_cart_change() -> None:
    """Each further product starts the wait anew; the reminder names the newest."""
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Added", at("10:10"), name="Teapot"),
        until=at("10:56"),
    )
    assert [
        ("entered", None, at("10:00")),
        ("not_entered", "already_inside", at("10:10")),
        ("send", "remind_1", at("10:55")),
    ] == told(verdict)
    [command] = verdict.commands
    assert {"email": "a@example.jp"} == command.addresses
    assert "Teapot" == command.data["context"]["product"]
    assert at("22:55") == command.expires_at


def test_the_second_reminder_follows_a_day_later_and_there_is_never_a_third() -> None:
    verdict = run(an_event("Product Added", at("10:00"), name="Kettle"), until=at("10:00", day=30))
    assert [
        ("entered", None, at("10:00")),
        ("send", "remind_1", at("10:45")),
        ("send", "remind_2", at("10:45", day=1)),
        ("exited", "no_response", at("10:45", day=8)),
    ] == told(verdict)


def test_buying_one_second_before_the_timer_stops_everything() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("10:44:59"), total=5000),
        until=at("10:00", day=30),
    )
    assert [("entered", None, at("10:00")), ("exited", "converted", at("10:44:59"))] == told(verdict)
    assert [] == verdict.commands


def test_a_record_at_the_very_time_of_a_timer_goes_first() -> None:
    """Buying at 10:45:00.000 is in time."""
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("10:45"), total=5000),
        until=at("10:00", day=30),
    )
    assert [] == verdict.commands


def test_a_purchase_after_the_reminder_is_credited_to_it() -> None:
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    [command] = run(cart, until=at("10:46")).commands
    bought = an_event("Order Completed", at("11:00"), total=5000)
    verdict = run(cart, an_outcome(command, "sent", at("10:46")), bought, until=at("10:00", day=30))
    assert [
        ("entered", None, at("10:00")),
        ("send", "remind_1", at("10:45")),
        ("sent", "remind_1", at("10:46")),
        ("converted", "remind_1", at("11:00")),
        ("exited", "converted", at("11:00")),
    ] == told(verdict)
    assert [5000.0] == [record.value for record in verdict.journal if record.decision == "converted"]


def test_a_purchase_cancels_what_is_unsettled_and_is_credited_only_to_what_had_left() -> None:
    """The mail may be out and nobody told us yet: its outcome decides, and whether it left before the purchase."""
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    bought = an_event("Order Completed", at("11:00"), total=5000)
    verdict = run(cart, bought, until=at("10:00", day=30))
    [command] = verdict.commands
    assert [command.command_id] == [cancel.command_id for cancel in verdict.cancels]
    assert "converted" not in [record.decision for record in verdict.journal]
    for status, left, expected in (("sent", "10:46", [5000.0]), ("sent", "11:01", []), ("skipped", "11:01", [])):
        outcome = an_outcome(command, status, at(left))  # type: ignore[arg-type]
        told_late = run(cart, bought, outcome, until=at("10:00", day=30))
        assert expected == [it.value for it in told_late.journal if it.decision == "converted"]


def test_a_settled_command_is_not_cancelled() -> None:
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    [command] = run(cart, until=at("10:46")).commands
    verdict = run(
        cart,
        an_outcome(command, "sent", at("10:46")),
        an_event("Order Completed", at("11:00"), total=5000),
        until=at("12:00"),
    )
    assert [] == verdict.cancels


def test_a_purchase_that_arrives_late_is_regretted() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("10:40"), received=at("10:50"), total=5000),
        until=at("10:00", day=30),
    )
    assert [
        ("entered", None, at("10:00")),
        ("send", "remind_1", at("10:45")),
        ("regret", "late_event", at("10:40")),
        ("exited", "converted", at("10:40")),
    ] == told(verdict)


def test_a_purchase_before_the_cart_was_filled_does_not_end_the_run() -> None:
    """An order of 09:30 that reaches us at 10:30 says nothing about the cart of 10:00."""
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("09:30"), received=at("10:30"), total=5000),
        until=at("10:46"),
    )
    assert ["entered", "send"] == [record.decision for record in verdict.journal]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ((KNOWN[1],), "unreachable"),
        ((KNOWN[0],), "no_consent"),
        ((*KNOWN, consented(at("09:00"), "cart_reminders", "revoked")), "no_consent"),
    ],
)
def test_a_send_that_may_not_be_is_skipped_with_the_first_reason(known: tuple[Event, ...], reason: str) -> None:
    """Consent unknown is no; the contact enters all the same and goes on."""
    verdict = run(an_event("Product Added", at("10:00"), name="Kettle"), known=known, until=at("10:50"))
    assert [("entered", None, at("10:00")), ("skip", reason, at("10:45"))] == told(verdict)


def test_revoked_consent_ends_the_run_at_once() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        consented(at("10:20"), "cart_reminders", "revoked"),
        until=at("12:00"),
    )
    assert ("exited", "consent_revoked", at("10:20")) == told(verdict)[-1]
    assert [] == verdict.commands


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([an_event("Product Added", at("10:00"), received=at("10:31"), name="Kettle")], "too_old"),
        (
            [
                an_event("Order Completed", at("09:30"), total=1),
                an_event("Product Added", at("10:00"), name="Kettle"),
            ],
            "filter_false",
        ),
        (
            [
                an_event("Product Added", at("10:00"), name="Kettle"),
                an_event("Order Completed", at("10:10"), total=1),
                an_event("Product Added", at("10:00", day=3), name="Kettle"),
            ],
            "cooldown",
        ),
    ],
)
def test_a_contact_that_may_not_enter_is_told_why(events: list[Event], reason: str) -> None:
    verdict = run(*events, until=at("10:00", day=4))
    assert ("not_entered", reason) == (verdict.journal[-1].decision, verdict.journal[-1].reason)


def test_the_cooldown_ends_to_the_millisecond() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("10:10"), total=1),
        an_event("Product Added", at("10:10", day=3), name="Kettle"),
        until=at("10:11", day=3),
    )
    assert ("entered", None, at("10:10", day=3)) == told(verdict)[-1]


def test_a_message_that_never_left_gives_its_slot_back() -> None:
    journey = CART.replace("max_sends: 2", "max_sends: 1")
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    [command] = run(cart, until=at("10:46"), journey=journey).commands
    failed = run(cart, an_outcome(command, "failed", at("10:46")), until=at("11:00", day=1), journey=journey)
    sent = run(cart, an_outcome(command, "sent", at("10:46")), until=at("11:00", day=1), journey=journey)
    assert ("send", "remind_2", at("10:45", day=1)) == told(failed)[-1]
    assert ("skip", "max_sends", at("10:45", day=1)) == told(sent)[-1]


def test_the_journal_tells_which_channels_were_tried_before() -> None:
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    [command] = run(cart, until=at("10:46")).commands
    tried = (Attempt(channel="line", reason="unregistered", provider="main", dead="unregistered"),)
    sent = msgspec.structs.replace(an_outcome(command, "sent", at("10:46")), tried=tried)
    verdict = run(cart, sent, until=at("10:47"))
    detail = next(record.detail for record in verdict.journal if record.decision == "sent")
    first = {"channel": "line", "reason": "unregistered", "provider": "main", "dead": "unregistered"}
    assert {"tried": (first,)} == detail


def test_the_maximum_duration_ends_a_run_wherever_it_is() -> None:
    journey = CART.replace("after: 10d", "after: 2h")
    verdict = run(an_event("Product Added", at("10:00"), name="Kettle"), until=at("10:00", day=30), journey=journey)
    assert ("exited", "max_duration", at("12:00")) == told(verdict)[-1]


def test_restart_replaces_the_run_that_is_inside() -> None:
    journey = CART.replace("on_retrigger: update_context", "on_retrigger: restart")
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Added", at("10:20"), name="Teapot"),
        until=at("11:06"),
        journey=journey,
    )
    assert ["entered", "exited", "entered", "send"] == [record.decision for record in verdict.journal]
    assert at("11:05") == verdict.journal[-1].at


def test_ids_are_derived_from_their_causes() -> None:
    """The same log gives the same run, command and journal ids on every machine."""
    verdicts = [run(an_event("Product Added", at("10:00"), name="Kettle"), until=at("10:46")) for _ in range(2)]
    assert verdicts[0].journal == verdicts[1].journal
    assert verdicts[0].commands == verdicts[1].commands
    assert [1, 2] == [record.seq for record in verdicts[0].journal]


def test_a_run_that_ends_by_its_own_steps_still_sends_what_it_decided() -> None:
    """An order confirmation is sent and its run is over in the same moment: nothing is cancelled."""
    verdict = run(
        an_event("Order Completed", at("10:00"), total=1),
        until=at("11:00"),
        journey="""
schema: journey/v1
id: confirmation
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps:
  - id: confirm
    send: {channels: [email], template: {email: {subject: "Thank you", text: "Hello"}}}
""",
    )
    assert ["entered", "send", "exited"] == [record.decision for record in verdict.journal]
    assert [] == verdict.cancels


def test_what_a_finished_run_has_not_sent_yet_is_cancelled_by_its_exit_rules() -> None:
    """The reminder was the last step; the order comes before the mail has left."""
    journey = CART[: CART.index("  - {id: pause_1")]
    cart = an_event("Product Added", at("10:00"), name="Kettle")
    bought = an_event("Order Completed", at("10:46"), total=1)
    verdict = run(cart, bought, until=at("12:00"), journey=journey)
    assert ["entered", "send", "exited"] == [record.decision for record in verdict.journal]
    [command] = verdict.commands
    assert [command.command_id] == [cancel.command_id for cancel in verdict.cancels]
    sent = run(cart, an_outcome(command, "sent", at("10:45:30")), bought, until=at("12:00"), journey=journey)
    assert [] == sent.cancels
    assert () == sent.states["u:c1"].ended
