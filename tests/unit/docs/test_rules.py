"""Rules that docs/journeys.md and docs/reference/events.md state and no other test does."""

from __future__ import annotations

import msgspec

from shared.journeys.locales import pick_locale
from shared.journeys.model import Template
from shared.messages.event import Event
from shared.messages.outcome import Outcome
from tests.builders import CART, a_journey, a_record, an_event, an_outcome, at, consented, identified
from tests.oracle import Verdict, judge

KNOWN = (identified(at("08:00"), email="a@example.jp"), consented(at("08:00"), "cart_reminders"))


def run(*messages: Event | Outcome, until: int, journey: str = CART) -> Verdict:
    log = [
        a_record(n, it, timestamp=it.received_at if isinstance(it, Event) else it.at)
        for n, it in enumerate((*KNOWN, *messages))
    ]
    return judge([a_journey(journey)], log, until=until)


def told(verdict: Verdict) -> list[tuple[str, str | None, int]]:
    return [(record.decision, record.reason or record.step, record.at) for record in verdict.journal]


def test_a_late_trigger_enters_at_its_own_time_and_waits_that_are_over_end_at_once() -> None:
    journey = CART.replace("max_age: 30m", "max_age: 1d")
    verdict = run(
        an_event("Product Added", at("10:00"), received=at("11:30"), name="Kettle"),
        until=at("11:30:01"),
        journey=journey,
    )
    assert [("entered", None, at("10:00")), ("send", "remind_1", at("10:45"))] == told(verdict)


def test_a_late_event_never_makes_a_wait_shorter() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Viewed", at("10:30")),
        an_event("Product Viewed", at("10:10"), received=at("10:40")),
        until=at("11:16"),
    )
    assert ("send", "remind_1", at("11:15")) == told(verdict)[-1]


def test_an_event_that_is_too_old_still_updates_the_context() -> None:
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Added", at("09:00"), received=at("10:20"), name="Teapot"),
        until=at("10:46"),
    )
    assert ("not_entered", "too_old", at("09:00")) in told(verdict)
    assert ["Teapot"] == [command.data["context"]["product"] for command in verdict.commands]


def test_a_restart_does_not_ask_for_the_cooldown() -> None:
    journey = CART.replace("on_retrigger: update_context", "on_retrigger: restart")
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Product Added", at("10:20"), name="Teapot"),
        until=at("10:21"),
        journey=journey,
    )
    assert ["entered", "exited", "entered"] == [decision for decision, _, _ in told(verdict)]
    assert ("exited", "restarted", at("10:20")) in told(verdict)


def test_never_means_once_and_is_noted_as_cooldown() -> None:
    journey = CART.replace("reentry: {cooldown: 3d}", "reentry: {mode: never}")
    verdict = run(
        an_event("Product Added", at("10:00"), name="Kettle"),
        an_event("Order Completed", at("10:10")),
        an_event("Product Added", at("10:00", day=30), name="Kettle"),
        until=at("11:00", day=30),
        journey=journey,
    )
    assert ("not_entered", "cooldown", at("10:00", day=30)) == told(verdict)[-1]


def test_a_triggers_own_filter_is_noted_nowhere() -> None:
    journey = CART.replace("max_age: 30m}", "where: {reachable: [sms]}}")
    assert [] == told(run(an_event("Product Added", at("10:00"), name="Kettle"), until=at("11:00"), journey=journey))


def test_each_key_has_its_own_run_and_without_a_value_nobody_enters() -> None:
    journey = CART.replace("\nentry:\n", "\nentry:\n  key: event.properties.cart_id\n")
    verdict = run(
        an_event("Product Added", at("10:00"), cart_id="a"),
        an_event("Product Added", at("10:01"), cart_id="b"),
        an_event("Product Added", at("10:02")),
        an_event("Product Added", at("10:03"), cart_id="a"),
        until=at("10:04"),
        journey=journey,
    )
    assert [
        ("entered", None, at("10:00")),
        ("entered", None, at("10:01")),
        ("not_entered", "filter_false", at("10:02")),
        ("not_entered", "already_inside", at("10:03")),
    ] == told(verdict)


def test_a_goal_counts_until_just_before_its_window_ends_and_once_per_run() -> None:
    def converted(*times: int) -> int:
        bought = [an_event("Paid", when) for when in times]
        journey = CART.replace("id: recovered, event: Order Completed, window: 7d", "id: paid, event: Paid, window: 1h")
        cart = an_event("Product Added", at("10:00"), name="Kettle")
        [command] = run(cart, until=at("10:46"), journey=journey).commands
        left = an_outcome(command, "sent", at("10:46"))
        verdict = run(cart, left, *bought, until=at("12:00"), journey=journey)
        return [decision for decision, _, _ in told(verdict)].count("converted")

    assert 1 == converted(at("11:44:59"))
    assert 0 == converted(at("11:45"))
    assert 1 == converted(at("11:00"), at("11:01"))


def test_the_locale_is_the_contacts_else_its_language_else_the_default_else_the_first() -> None:
    def picked(wanted: object, *locales: str) -> str:
        template = Template(id="t", locales={name: {"email": {"text": name}} for name in locales})
        return pick_locale(template, wanted)["email"]["text"]

    assert "ja-JP" == picked("ja-JP", "en", "ja", "ja-JP")
    assert "ja" == picked("ja-JP", "en", "ja")
    assert "default" == picked("fr", "en", "default")
    assert "en" == picked(None, "en", "ja")


def test_the_newest_statement_of_consent_counts_whenever_it_arrives() -> None:
    """A grant of 08:30 that arrives after the revocation of 09:00 changes nothing."""
    late = msgspec.structs.replace(consented(at("08:30"), "cart_reminders"), received_at=at("09:30"))
    verdict = run(
        consented(at("09:00"), "cart_reminders", "revoked"),
        late,
        an_event("Product Added", at("10:00"), name="Kettle"),
        until=at("10:46"),
    )
    assert ("skip", "no_consent", at("10:45")) == told(verdict)[-1]


def test_consent_for_one_channel_allows_that_channel_only() -> None:
    sms = msgspec.structs.replace(
        consented(at("09:30"), "cart_reminders"),
        properties={"topic": "cart_reminders", "status": "granted", "channel": "sms"},
    )
    verdict = run(
        consented(at("09:00"), "cart_reminders", "revoked"),
        sms,
        an_event("Product Added", at("10:00"), name="Kettle"),
        until=at("10:46"),
    )
    assert ("skip", "no_consent", at("10:45")) == told(verdict)[-1]
