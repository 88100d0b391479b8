"""When a provider is left alone, and when it is asked again."""

from __future__ import annotations

from services.dispatcher.core.breaker import Breaker, BreakerPolicy, answered, failed, is_silent, opened, paused
from shared.clock import MINUTE, SECOND

POLICY = BreakerPolicy()
NOW = 1_000_000


def after_failures(*times: int) -> Breaker:
    breaker = Breaker()
    for at in times:
        breaker = failed(breaker, at, 0.0, POLICY)
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    assert "closed" == after_failures(*[NOW] * 4).state(NOW)
    assert "open" == after_failures(*[NOW] * 5).state(NOW)


def test_two_failures_open_it_when_the_first_is_two_seconds_old() -> None:
    assert "closed" == after_failures(NOW, NOW + 2 * SECOND - 1).state(NOW + 2 * SECOND)
    assert "open" == after_failures(NOW, NOW + 2 * SECOND).state(NOW + 2 * SECOND)


def test_an_answer_between_them_begins_the_count_anew() -> None:
    breaker = answered(after_failures(*[NOW] * 4), NOW)
    assert Breaker() == breaker
    assert "closed" == failed(breaker, NOW, 0.0, POLICY).state(NOW)


def test_open_becomes_half_open_and_a_failure_then_opens_it_for_twice_as_long() -> None:
    breaker = after_failures(*[NOW] * 5)
    assert ("open", "half_open") == (breaker.state(NOW + 499), breaker.state(NOW + 500))
    again = failed(breaker, NOW + 500, 0.0, POLICY)
    assert NOW + 500 + 1000 == again.until


def test_stragglers_of_an_open_one_count_for_nothing() -> None:
    breaker = after_failures(*[NOW] * 5)
    assert breaker == failed(breaker, NOW + 1, 0.0, POLICY)


def test_the_back_off_is_a_minute_at_most_and_spread_by_chance() -> None:
    breaker = Breaker(openings=40)
    ends = [opened(breaker, NOW, jitter, POLICY).until for jitter in (0.0, 0.5, 0.999)]
    assert [NOW + MINUTE // 2, NOW + MINUTE * 3 // 4, NOW + 59970] == ends


def test_an_answer_closes_what_failures_opened_but_not_what_the_provider_asked_for() -> None:
    assert Breaker() == answered(after_failures(*[NOW] * 5), NOW)
    pause = paused(Breaker(), NOW, 30 * SECOND)
    assert pause == answered(pause, NOW + SECOND)
    assert Breaker() == answered(pause, NOW + 30 * SECOND)


def test_it_hangs_when_one_waits_and_nobody_is_answered_for_four_seconds() -> None:
    assert is_silent(NOW, 0, NOW + 4 * SECOND, POLICY)
    assert not is_silent(NOW, 0, NOW + 4 * SECOND - 1, POLICY)
    assert not is_silent(NOW, NOW + SECOND, NOW + 4 * SECOND, POLICY)
