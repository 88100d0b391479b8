"""The dispatcher's pure decisions."""

from __future__ import annotations

import pytest

from services.dispatcher.core.freshness import CancelsSeen, may_send
from services.dispatcher.core.policy import Defer, Deliver, Drop, Facts, Verdict, recheck
from services.dispatcher.core.retry import GiveUp, RetryAt, RetryPolicy, Setback, next_attempt
from services.dispatcher.progress import Progress
from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.messages.command import Hours
from tests.dispatching import NOON, a_command


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), Deliver()),
        (Facts(cancelled="purchased"), Drop("exited", "purchased")),
        (Facts(cancelled="no_consent"), Drop("no_consent")),
        (Facts(cancelled="x", journey_stopped=True, suppressed=True), Drop("exited", "x")),
        (Facts(journey_stopped=True, suppressed=True), Drop("journey_stopped")),
        (Facts(suppressed=True), Drop("suppressed")),
    ],
)
def test_the_first_check_that_fails_decides(facts: Facts, expected: Verdict) -> None:
    assert expected == recheck(a_command(), facts, NOON)


def test_a_message_expires_at_the_moment_it_says() -> None:
    command = a_command(expires_at=NOON)
    assert Deliver() == recheck(command, Facts(), NOON - 1)
    assert Drop("expired") == recheck(command, Facts(suppressed=True), NOON)


def test_hours_are_asked_again_when_the_message_leaves() -> None:
    """What was decided before the quiet hours and comes late waits for their end, by the contact's clock."""
    quiet = Hours(reason="quiet_hours", start="11:00", end="13:00", zone="UTC", when_closed="defer")
    opening = Hours(reason="outside_window", start="14:00", end="16:00", zone="UTC", when_closed="skip")
    assert Defer(NOON + HOUR, "journey") == recheck(a_command(hours=(quiet,)), Facts(), NOON)
    assert Deliver() == recheck(a_command(hours=(quiet,)), Facts(), NOON + HOUR)
    assert Drop("outside_window") == recheck(a_command(hours=(opening,)), Facts(), NOON)
    assert Drop("expired") == recheck(a_command(hours=(quiet,), expires_at=NOON), Facts(), NOON)


def test_deferred_by_quiet_hours_messages_leave_over_the_spread() -> None:
    quiet = Hours(reason="quiet_hours", start="11:00", end="13:00", zone="UTC", when_closed="defer", spread=30 * MINUTE)
    verdicts = [recheck(a_command(contact=f"u:{number}", hours=(quiet,)), Facts(), NOON) for number in range(50)]
    leaves = [verdict.until - NOON - HOUR for verdict in verdicts if isinstance(verdict, Defer)]
    assert 50 == len(leaves)
    assert 0 <= min(leaves) < max(leaves) < 30 * MINUTE
    assert len(set(leaves)) > 40


def test_the_back_off_doubles_up_to_an_hour_and_goes_on_for_hours() -> None:
    """A mail server that greylists takes no message again within minutes."""
    policy = RetryPolicy()
    windows = [
        next_attempt(Setback(attempt=attempt, since=NOON), NOON, 1.0, policy) for attempt in range(1, policy.attempts)
    ]
    doubled = (10, 20, 40, 80, 160, 320, 640, 1280, 2560)
    assert [RetryAt(NOON + s * SECOND) for s in (*doubled, *(6 * (3600,)))] == windows
    assert 3 * HOUR < sum(window.at - NOON for window in windows if isinstance(window, RetryAt)) / 2 < 4 * HOUR
    away = Setback(attempt=1, since=NOON - HOUR, refused=False)
    assert RetryAt(NOON + 15 * MINUTE) == next_attempt(away, NOON, 1.0, policy)


def test_the_jitter_is_full_and_never_a_hot_loop() -> None:
    policy = RetryPolicy()
    assert RetryAt(NOON + 5 * SECOND) == next_attempt(Setback(attempt=1, since=NOON), NOON, 0.5, policy)
    assert RetryAt(NOON + policy.floor) == next_attempt(Setback(attempt=1, since=NOON), NOON, 0.0, policy)


def test_what_the_provider_asks_for_is_kept() -> None:
    setback = Setback(attempt=1, since=NOON, retry_after=60 * SECOND)
    assert RetryAt(NOON + 60 * SECOND) == next_attempt(setback, NOON, 0.0, RetryPolicy())


def test_refusals_give_up_by_count_and_absence_by_age() -> None:
    policy = RetryPolicy()
    assert GiveUp() == next_attempt(Setback(attempt=16, since=NOON), NOON, 0.5, policy)
    away = Setback(attempt=50, since=NOON, refused=False)
    assert RetryAt(NOON + MINUTE + MINUTE) == next_attempt(away, NOON + MINUTE, 1.0, policy)
    assert GiveUp() == next_attempt(away, NOON + DAY, 0.5, policy)


CAUGHT_UP = CancelsSeen(marked_at=NOON, caught_up=True, end_read_at=NOON)


@pytest.mark.parametrize(
    ("decided", "now", "seen", "expected"),
    [
        (NOON, NOON + 1_999, CancelsSeen(), True),
        (NOON, NOON + 2_000, CancelsSeen(), False),
        (NOON - DAY, NOON + 1_999, CAUGHT_UP, True),
        (NOON - DAY, NOON + 2_000, CAUGHT_UP, False),
        (NOON - DAY, NOON, CancelsSeen(marked_at=NOON, caught_up=False, end_read_at=NOON), False),
        (NOON - DAY, NOON, CancelsSeen(marked_at=NOON, caught_up=True), False),
        # Clocks that disagree: a little is allowed for, and what lies further in the future is neither young nor fresh.
        (NOON + 2_000, NOON, CancelsSeen(), True),
        (NOON + 2_001, NOON, CancelsSeen(), False),
        (NOON - DAY, NOON - 2_000, CAUGHT_UP, True),
        (NOON - DAY, NOON - 2_001, CAUGHT_UP, False),
    ],
)
def test_only_what_cannot_have_been_cancelled_is_sent(
    decided: int, now: int, seen: CancelsSeen, expected: bool
) -> None:
    assert expected == may_send(decided, now, seen)


def test_progress_is_the_finished_prefix() -> None:
    progress = Progress()
    for offset in (3, 5, 9):
        progress.start(offset)
    assert progress.committable is None
    progress.finish(5)
    assert progress.committable is None
    progress.finish(3)
    assert 6 == progress.committable
    progress.finish(9)
    assert [10, 0] == [progress.committable, progress.unfinished]
