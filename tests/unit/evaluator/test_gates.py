"""The checks before a message leaves: their order, the cap, quiet hours, the window, and what a deferral asks again."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from shared.clock import MINUTE
from shared.journeys.workspace import Surroundings, parse_workspace
from shared.messages.event import Event
from shared.messages.journal import JournalRecord
from tests.builders import a_journey, a_record, an_event, at, consented, identified
from tests.oracle import Verdict, judge
from tests.unit.evaluator.playing import GO, KNOWN, MAIL, decided, happens, iso, journey, mailing, sends, told

QUIET = "quiet_hours: {from: '21:00', to: '08:00'}"
LATE = an_event("Go", at("22:00"))
"""22:00 on Monday."""


def last_checks(verdict: Verdict) -> list[tuple[str, bool]]:
    record: JournalRecord = [it for it in verdict.journal if it.checks][-1]
    return list(record.checks)


# ---- the order ----------------------------------------------------------------------------------------------------

ORDER = ["expired", "held_out", "unreachable", "suppressed", "no_consent", "max_sends"]
ORDER += ["invariant", "capped", "quiet_hours", "outside_window"]
EVERYTHING = (
    "max_sends: 5, holdout: {percent: 0, salt: s}, frequency_cap: [{max: 9, per: 1d}], "
    "quiet_hours: {from: '21:00', to: '08:00'}, send_window: {from: '08:00', to: '21:00'}"
)


def test_a_send_has_passed_every_check_in_their_order() -> None:
    assert [(name, True) for name in ORDER] == last_checks(happens(mailing(EVERYTHING), GO, until=at("10:30")))


HELD_OUT = "holdout: {percent: 100, salt: s}"
CLOSED = "quiet_hours: {from: '09:00', to: '11:00', when_quiet: skip}, send_window: {from: '12:00', to: '13:00'}"


@pytest.mark.parametrize(
    ("known", "policy", "reason"),
    [
        ((), f"{HELD_OUT}, {CLOSED}", "held_out"),
        ((), CLOSED, "unreachable"),
        (KNOWN[:1], CLOSED, "no_consent"),
        (KNOWN, CLOSED, "quiet_hours"),
        (KNOWN, CLOSED.replace("from: '09:00'", "from: '10:30'"), "outside_window"),
    ],
)
def test_the_first_check_that_fails_gives_the_reason(known: tuple[Event, ...], policy: str, reason: str) -> None:
    verdict = happens(mailing(policy), GO, until=at("10:20"), known=known)
    [record] = [it for it in verdict.journal if it.checks]
    assert reason == record.reason
    position = ORDER.index(reason)
    assert [(name, True) for name in ORDER[:position]] + [(reason, False)] == list(record.checks)


def test_who_is_held_out_gets_nothing_and_goes_on() -> None:
    verdict = happens(mailing(HELD_OUT), GO, until=at("12:00"))
    assert ["entered", "skip", "exited"] == [record.decision for record in verdict.journal]
    assert [("skip", "held_out", at("10:00"))] == decided(verdict)


def test_a_holdout_holds_about_its_share() -> None:
    trip = mailing("holdout: {percent: 20, salt: s}")
    log = [a_record(number, GO, key=f"u:{number}") for number in range(2_000)]
    reasons = [record.reason for record in judge([trip], log).journal if record.decision == "skip"]
    assert 2_000 == len(reasons)
    assert 340 < reasons.count("held_out") < 460


def test_what_is_transactional_ignores_cap_quiet_hours_window_and_holdout() -> None:
    policy = (
        "{purpose: transactional, holdout: {percent: 100, salt: s}, frequency_cap: [{max: 1, per: 1d}], "
        "quiet_hours: {from: '00:00', to: '23:59'}, send_window: {from: '03:00', to: '04:00'}}"
    )
    trip = journey("- {id: a, MAIL}\n- {id: b, MAIL}", policy=policy)
    assert [("a", at("10:00")), ("b", at("10:00"))] == sends(happens(trip, GO, until=at("11:00"), known=KNOWN[:1]))


# ---- quiet hours --------------------------------------------------------------------------------------------------


def test_quiet_hours_put_a_message_off_to_their_end() -> None:
    """Its end is not in it: at 08:00 sharp."""
    assert [
        ("deferred", "quiet_hours", at("22:00")),
        ("send", "mail", at("08:00", day=1)),
    ] == decided(happens(mailing(QUIET), LATE, until=at("12:00", day=1)))


def test_a_deferral_names_the_time_at_which_it_is_asked_again() -> None:
    verdict = happens(mailing(QUIET), LATE, until=at("23:00"))
    [deferred] = [record for record in verdict.journal if record.decision == "deferred"]
    assert at("08:00", day=1) == deferred.next_timer_at
    assert ("quiet_hours", False) == deferred.checks[-1]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("20:59:59", at("20:59:59")), ("21:00", at("08:00", day=1)), ("07:59:59", at("08:00")), ("08:00", at("08:00"))],
)
def test_the_first_quiet_second_is_quiet_and_the_last_one_is_too(asked: str, expected: int) -> None:
    known = tuple(msgspec.structs.replace(it, timestamp=at("01:00"), received_at=at("01:00")) for it in KNOWN)
    verdict = happens(mailing(QUIET), an_event("Go", at(asked)), until=at("12:00", day=1), known=known)
    assert [("mail", expected)] == sends(verdict)


@pytest.mark.parametrize(
    ("timezone", "more", "workspace", "expected"),
    [
        ("Asia/Tokyo", "", None, "2026-03-03T08:00:00+09:00"),
        ("Asia/Tokyo", ", timezone: workspace", None, "2026-03-02T14:00:00Z"),
        ("Asia/Tokyo", ", timezone: America/New_York", None, "2026-03-02T14:00:00Z"),
        ("Mars/Olympus", "", None, "2026-03-02T14:00:00Z"),
        ("Mars/Olympus", "", "Asia/Tokyo", "2026-03-03T08:00:00+09:00"),
        ("Mars/Olympus", ", fallback_timezone: Asia/Tokyo", None, "2026-03-03T08:00:00+09:00"),
    ],
)
def test_the_hours_are_the_contacts(timezone: str, more: str, workspace: str | None, expected: str) -> None:
    """At 14:00 UTC it is 23:00 in Tokyo and 09:00 in New York. Without a valid zone: the fallback, the workspace."""
    known = (identified(at("08:00"), email="a@example.jp", timezone=timezone), KNOWN[1])
    quiet = QUIET.replace("}", more + "}")
    go = an_event("Go", at("14:00"))
    verdict = happens(mailing(quiet), go, until=at("12:00", day=2), known=known, zone=workspace)
    assert [("mail", iso(expected))] == sends(verdict)


def test_quiet_hours_may_skip_or_end_the_run() -> None:
    skipped = happens(mailing(QUIET.replace("}", ", when_quiet: skip}")), LATE, until=at("12:00", day=1))
    assert [("skip", "quiet_hours", at("22:00"))] == decided(skipped)
    ended = happens(mailing(QUIET.replace("}", ", when_quiet: exit}")), LATE, until=at("12:00", day=1))
    assert [("skip", "quiet_hours", at("22:00")), ("exited", "quiet_hours", at("22:00"))] == decided(ended)


@pytest.mark.parametrize(("most", "expected"), [("9h", "skip"), ("10h", "deferred")])
def test_quiet_hours_put_off_no_longer_than_max_defer(most: str, expected: str) -> None:
    quiet = QUIET.replace("}", f", max_defer: {most}}}")
    assert (expected, "quiet_hours", at("22:00")) == decided(happens(mailing(quiet), LATE, until=at("23:00")))[0]


def test_what_is_deferred_is_spread_over_the_opening_each_contact_at_its_own_time() -> None:
    """Ten thousand contacts. Without ``spread`` all leave at 08:00 sharp, with it some 333 in each minute."""
    opening = at("08:00", day=1)
    journeys = [mailing(QUIET, name="burst"), mailing(QUIET.replace("}", ", spread: 30m}"), name="spread")]
    messages = (identified(at("08:00"), email="a@example.jp"), KNOWN[1], LATE)
    log = [a_record(n, it, key=f"u:{n}", timestamp=it.received_at) for it in messages for n in range(10_000)]

    def leave(contacts: int) -> tuple[list[int], list[int]]:
        chosen = [record for record in log if record.offset < contacts]
        sent = [it for it in judge(journeys, chosen, until=at("12:00", day=1)).journal if it.decision == "send"]
        burst, spread = ([it.at for it in sent if it.journey == name] for name in ("burst", "spread"))
        return burst, spread

    burst, spread = leave(10_000)
    assert [opening] * 10_000 == burst
    assert 10_000 == len(spread)
    minutes = Counter((when - opening) // MINUTE for when in spread)
    assert set(range(30)) == set(minutes)
    assert all(250 < count < 420 for count in minutes.values())
    assert set(leave(100)[1]) < set(spread), "whoever else there is"


# ---- expiry -------------------------------------------------------------------------------------------------------


def test_a_message_that_would_expire_while_it_waits_is_skipped_at_once() -> None:
    """Ten hours until 08:00: worthless after ten, good after ten and a minute."""
    assert [("skip", "expired", at("22:00"))] == decided(
        happens(mailing(QUIET, expires="expires: 10h, "), LATE, until=at("12:00", day=1))
    )
    verdict = happens(mailing(QUIET, expires="expires: 601m, "), LATE, until=at("12:00", day=1))
    assert [("mail", at("08:00", day=1))] == sends(verdict)
    assert [at("08:01", day=1)] == [command.expires_at for command in verdict.commands]


# ---- the window ---------------------------------------------------------------------------------------------------


def test_a_message_leaves_only_within_the_window_on_its_days() -> None:
    window = "send_window: {from: '09:00', to: '18:00', days: [tue, thu]}"
    assert [
        ("deferred", "outside_window", at("10:00")),
        ("send", "mail", at("09:00", day=1)),
    ] == decided(happens(mailing(window), GO, until=at("12:00", day=9)))
    wednesday = an_event("Go", at("12:00", day=2))
    assert [("mail", at("09:00", day=3))] == sends(happens(mailing(window), wednesday, until=at("12:00", day=9)))


@pytest.mark.parametrize("action", ["skip", "exit"])
def test_outside_the_window_the_message_or_the_run_may_end(action: str) -> None:
    window = f"send_window: {{from: '12:00', to: '18:00', when_outside: {action}}}"
    found = decided(happens(mailing(window), GO, until=at("12:00", day=1)))
    assert [("skip", "outside_window", at("10:00")), ("exited", "outside_window", at("10:00"))][: len(found)] == found
    assert (1 if action == "skip" else 2) == len(found)


@pytest.mark.parametrize(("most", "expected"), [("1h59m", "skip"), ("2h", "deferred")])
def test_the_window_puts_off_no_longer_than_max_defer(most: str, expected: str) -> None:
    window = f"send_window: {{from: '12:00', to: '18:00', max_defer: {most}}}"
    assert (expected, "outside_window", at("10:00")) == decided(happens(mailing(window), GO, until=at("10:30")))[0]


@pytest.mark.parametrize(("timezone", "expected"), [("workspace", "12:00"), ("Asia/Tokyo", "10:00")])
def test_the_window_is_read_off_the_clock_of_its_timezone(timezone: str, expected: str) -> None:
    """At 10:00 UTC it is 19:00 in Tokyo."""
    window = f"send_window: {{from: '12:00', to: '20:00', timezone: {timezone}}}"
    assert [("mail", at(expected))] == sends(happens(mailing(window), GO, until=at("13:00")))


def test_a_policy_with_send_window_none_has_none_whatever_the_workspace_says() -> None:
    workspace = parse_workspace("w", "{schema: workspace/v1, policy: {send_window: {from: '12:00', to: '18:00'}}}")
    around = Surroundings(workspace=workspace)
    text = "schema: journey/v1\nid: trip\nversion: 1\ntrigger: {type: event, event: Go}\nsteps: [{id: mail, MAIL}]\n"
    inherits = a_journey(text.replace("MAIL", MAIL) + "policy: {topic: news}", around)
    assert [("mail", at("12:00"))] == sends(happens(inherits, GO, until=at("13:00")))
    lifts = a_journey(text.replace("MAIL", MAIL) + "policy: {topic: news, send_window: none}", around)
    assert [("mail", at("10:00"))] == sends(happens(lifts, GO, until=at("13:00")))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("topic: news", "hold"),
        ("topic: news, on_ambiguous: retry", "retry"),
        ("purpose: transactional", "retry"),
        ("purpose: transactional, on_ambiguous: hold", "hold"),
    ],
)
def test_on_ambiguous_goes_with_the_command(policy: str, expected: str) -> None:
    [command] = happens(journey("- {id: mail, MAIL}", policy=f"{{{policy}}}"), GO, until=at("10:00")).commands
    assert expected == command.on_ambiguous


def test_quiet_hours_and_the_window_are_both_kept() -> None:
    both = f"{QUIET}, send_window: {{from: '07:00', to: '20:00', days: [wed]}}"
    assert [
        ("deferred", "quiet_hours", at("22:00")),
        ("deferred", "outside_window", at("08:00", day=1)),
        ("deferred", "quiet_hours", at("07:00", day=2)),
        ("send", "mail", at("08:00", day=2)),
    ] == decided(happens(mailing(both), LATE, until=at("12:00", day=9)))


# ---- what a deferral asks again -----------------------------------------------------------------------------------


def deferred(*between: Event, policy: str = QUIET, more: str = "") -> list[tuple[str, str | None, int]]:
    """Return what becomes of a message that is deferred at 22:00 until 08:00, with ``between`` happening."""
    return decided(happens(mailing(policy, more=more), LATE, *between, until=at("12:00", day=1)))[1:]


def test_consent_that_is_withdrawn_meanwhile_ends_the_run() -> None:
    revoked = consented(at("23:00"), "news", "revoked")
    assert [("exited", "consent_revoked", at("23:00"))] == deferred(revoked)


def test_consent_for_the_one_channel_withdrawn_meanwhile_is_found_when_it_is_due() -> None:
    revoked = consented(at("23:00"), "news", "revoked")
    revoked = msgspec.structs.replace(revoked, properties={**revoked.properties, "channel": "email"})
    assert [("skip", "no_consent", at("08:00", day=1))] == deferred(revoked)


def test_an_address_that_is_gone_meanwhile_is_found_when_it_is_due() -> None:
    assert [("skip", "unreachable", at("08:00", day=1))] == deferred(identified(at("23:00"), email=""))


def test_a_deferred_run_can_be_exited() -> None:
    bought = an_event("Bought", at("07:59:59", day=1))
    rule = "exit: [{reason: bought, event: Bought}]"
    assert [("exited", "bought", at("07:59:59", day=1))] == deferred(bought, more=rule)
    assert [("exited", "over", at("00:00", day=1))] == deferred(more="exit: [{reason: over, after: 2h}]")


def test_a_place_that_was_taken_meanwhile_is_found_when_it_is_due() -> None:
    """Another journey, without quiet hours, has sent at 23:00."""
    cap = f"{QUIET}, frequency_cap: [{{max: 1, per: 1d}}]"
    other = journey("- {id: other, MAIL}", name="z", policy="{topic: news}", trigger="Come")
    verdict = happens((mailing(cap), other), LATE, an_event("Come", at("23:00")), until=at("12:00", day=1))
    assert [
        ("deferred", "quiet_hours", at("22:00")),
        ("send", "other", at("23:00")),
        ("skip", "capped", at("08:00", day=1)),
    ] == decided(verdict)


def test_a_deferral_uses_the_address_and_the_texts_of_when_it_leaves() -> None:
    moved = identified(at("23:00"), email="b@example.jp")
    verdict = happens(mailing(QUIET), LATE, moved, until=at("12:00", day=1))
    assert [{"email": "b@example.jp"}] == [command.addresses for command in verdict.commands]
    assert [at("08:00", day=1)] == [command.decided_at for command in verdict.commands]


def test_behind_a_deferred_message_the_run_goes_on_from_when_it_left() -> None:
    verdict = happens(mailing(QUIET), LATE, until=at("12:00", day=1))
    assert ("exited", "completed", at("09:00", day=1)) == told(verdict)[-1]
