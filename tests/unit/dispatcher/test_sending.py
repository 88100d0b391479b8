"""Several providers of one channel: who is asked, and who never is after an answer was lost."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest

from services.dispatcher.channels.base import Provider
from services.dispatcher.core.rate import Rate
from services.dispatcher.core.rows import Work
from services.dispatcher.errors import AmbiguousError, BusyError, MisconfiguredError, RefusedError, TemporaryError
from services.dispatcher.lanes import Lane
from services.dispatcher.rates import LocalRate
from shared.clock import DAY, HOUR, MINUTE, SECOND
from shared.messages.command import OnAmbiguous
from shared.messages.delivery import Delivery
from tests.dispatching import Bench, a_command, a_record, eventually, outcomes
from tests.fakes import MemoryLedger, RecordingProvider, ScriptedClaims


def two(
    first: RecordingProvider,
    second: RecordingProvider,
    *,
    ledger: MemoryLedger | None = None,
    claims: ScriptedClaims | None = None,
    key_age: int | None = None,
    overflow: bool = False,
    rate: Rate | None = None,
) -> Bench:
    """Return a bench whose e-mail has ``first`` and ``second``."""

    def lanes(bench: Bench) -> Mapping[str, Sequence[Lane[Provider]]]:
        limit = None if rate is None else LocalRate(rate, lambda: bench.machine)
        return {
            "email": [
                bench.lane(first, key_age=key_age, overflow=overflow, rate=limit),
                bench.lane(second, key_age=key_age),
            ],
            "sms": [bench.lane(RecordingProvider("sms"))],
        }

    return Bench(lanes=lanes, ledger=ledger, claims=claims)


def a_pair(*answers: Exception | None, idempotent: bool = False) -> tuple[RecordingProvider, RecordingProvider]:
    first = RecordingProvider("first", answers=answers, idempotent=idempotent)
    return first, RecordingProvider("second", idempotent=idempotent)


def row_of(bench: Bench, number: int = 1) -> Delivery:
    return bench.memory.rows[a_command(number).command_id]


async def again(bench: Bench, number: int = 1) -> str | None:
    """Deliver what the row of a deferred command says."""
    row = row_of(bench, number)
    assert row.command is not None
    work = Work(row.command, row.attempt, row.since, row.recorded_at, row.provider, row.provider_since, row.tried)
    found = await bench.deliverer.deliver(work)
    return None if found is None else found.status


async def test_what_the_first_refuses_for_now_the_next_one_takes_at_once() -> None:
    first, second = a_pair(TemporaryError("451"))
    bench = two(first, second)
    assert "reported" == await bench.deliver(a_command())
    assert ([], 1) == (first.sent, len(second.sent))
    assert "second" == outcomes(bench.memory.outputs)[0].provider


async def test_refused_for_now_by_both_it_is_tried_again_later() -> None:
    first = RecordingProvider("first", answers=[TemporaryError("451")])
    second = RecordingProvider("second", answers=[TemporaryError("452")])
    bench = two(first, second)
    assert "deferred" == await bench.deliver(a_command())
    row = row_of(bench)
    assert (2, None) == (row.attempt, row.provider)
    assert row.retry_at is not None
    assert row.retry_at > bench.machine


async def test_an_outage_of_hours_fails_no_message() -> None:
    """A 503 is said to everybody: twenty of them refuse this message no more than one does."""
    provider = RecordingProvider("first", answers=[BusyError("503")] * 20)
    bench = Bench(lanes=lambda made: {"email": [made.lane(provider)]})
    assert "deferred" == await bench.deliver(a_command())
    for _ in range(19):
        bench.machine += 10 * MINUTE
        assert "deferred" == await again(bench)
    bench.machine += 10 * MINUTE
    assert "reported" == await again(bench)
    assert [("sent", None)] == bench.outcomes


async def test_of_a_contact_s_own_server_sixteen_outages_are_enough() -> None:
    provider = RecordingProvider("first", answers=[BusyError("503")] * 20)
    bench = Bench(lanes=lambda made: {"email": [made.lane(provider, party=lambda address: address)]})
    assert "deferred" == await bench.deliver(a_command())
    while not bench.outcomes:
        bench.machine += 10 * MINUTE
        await again(bench)
    assert ([("failed", "gave_up")], 4) == (bench.outcomes, len(provider._answers))


async def test_past_one_that_is_left_alone_the_next_one_is_asked() -> None:
    first, second = a_pair(MisconfiguredError("401"))
    bench = two(first, second)
    for number in range(3):
        await bench.deliver(a_command(number))
    assert ([], 3) == (first.sent, len(second.sent))


async def test_a_final_refusal_is_the_message_s_and_no_other_provider_is_asked() -> None:
    first, second = a_pair(RefusedError("550"))
    bench = two(first, second)
    await bench.deliver(a_command())
    assert [("failed", "refused")] == bench.outcomes
    assert [] == second.sent


async def test_a_lost_answer_is_asked_again_at_that_provider_only() -> None:
    first, second = a_pair(AmbiguousError("reset"), MisconfiguredError("401"), idempotent=True)
    bench = two(first, second)
    assert "deferred" == await bench.deliver(a_command())
    assert ("first", bench.machine) == (row_of(bench).provider, row_of(bench).provider_since)
    assert "deferred" == await again(bench)
    assert "first" == row_of(bench).provider
    # Left alone now: it is waited for, and nobody else is asked.
    assert "deferred" == await again(bench)
    bench.machine += 30 * SECOND
    assert "reported" == await again(bench)
    assert (1, []) == (len(first.sent), second.sent)


async def test_a_lost_answer_without_a_key_ends_there_unless_it_says_retry() -> None:
    first, second = a_pair(AmbiguousError("reset"), AmbiguousError("reset"))
    bench = two(first, second)
    await bench.deliver(a_command(1))
    assert ("ambiguous", "first") == (bench.outcomes[0][0], outcomes(bench.memory.outputs)[0].provider)
    assert "deferred" == await bench.deliver(a_command(2, on_ambiguous="retry"))
    assert row_of(bench, 2).provider is None
    assert [] == second.sent


async def test_from_the_day_its_key_is_forgotten_it_is_ambiguous() -> None:
    """LINE keeps a retry key for 24 hours: asked later, it would send a second message."""
    first, second = a_pair(AmbiguousError("reset"), idempotent=True)
    bench = two(first, second, key_age=HOUR)
    await bench.deliver(a_command())
    bench.machine += HOUR
    assert "reported" == await again(bench)
    assert [("ambiguous", None)] == bench.outcomes
    assert [] == first.sent


async def test_who_may_have_it_and_is_no_more_in_the_file_makes_it_ambiguous() -> None:
    first, second = a_pair(AmbiguousError("reset"), idempotent=True)
    bench = two(first, second)
    await bench.deliver(a_command())
    without = Bench(lanes=lambda made: {"email": [made.lane(second)]}, ledger=bench.memory)
    assert "reported" == await again(without)
    assert [("ambiguous", None)] == without.outcomes


@pytest.mark.parametrize("left", [{}, {"sms": RecordingProvider("sms")}])
async def test_who_may_have_it_and_whose_channel_is_no_more_in_the_file_makes_it_ambiguous(
    left: dict[str, RecordingProvider],
) -> None:
    """It was not skipped, and by another channel the contact might get it twice."""
    first, second = a_pair(AmbiguousError("reset"), idempotent=True)
    bench = two(first, second)
    await bench.deliver(a_command(channels=("email", "sms")))
    without = Bench(
        lanes=lambda made: {name: [made.lane(provider)] for name, provider in left.items()}, ledger=bench.memory
    )
    assert "reported" == await again(without)
    (last,) = outcomes(bench.memory.outputs)
    assert ("ambiguous", "email", "first") == (last.status, last.channel, last.provider)


@pytest.mark.parametrize("overflow", [False, True])
async def test_a_rate_is_waited_for_unless_it_may_overflow(overflow: bool) -> None:
    first, second = a_pair()
    bench = two(first, second, overflow=overflow, rate=Rate(1, 10 * SECOND))
    assert "reported" == await bench.deliver(a_command(1))
    assert ("reported" if overflow else "deferred") == await bench.deliver(a_command(2))
    assert (1, 1 if overflow else 0) == (len(first.sent), len(second.sent))


async def test_what_waits_for_room_is_written_once() -> None:
    first, second = a_pair()
    bench = two(first, second, rate=Rate(1, 10 * SECOND))
    await bench.deliver(a_command(1))
    for _ in range(5):
        assert "deferred" == await bench.deliver(a_command(2))
    assert 1 == bench.memory.history.count("deferred")


async def test_who_is_away_for_a_day_makes_room_for_the_next_channel() -> None:
    first = RecordingProvider("first", answers=[MisconfiguredError("401")])
    second = RecordingProvider("second", answers=[MisconfiguredError("401")])
    bench = two(first, second)
    await bench.deliver(a_command(1))
    assert "deferred" == await bench.deliver(a_command(2, channels=("email", "sms")))
    row = row_of(bench, 2)
    assert row.command is not None
    assert not bench.deliverer.overdue(row)
    bench.machine += DAY
    first._answers = [MisconfiguredError("401")]
    second._answers = [MisconfiguredError("401")]
    await bench.deliver(a_command(3))
    assert bench.deliverer.overdue(row)
    assert "deferred" == await again(bench, 2)
    assert "reported" == await again(bench, 2)
    last = outcomes(bench.memory.outputs)[-1]
    assert ("sent", "sms", ["gave_up"]) == (last.status, last.channel, [one.reason for one in last.tried])


async def test_an_outage_hides_no_expiry() -> None:
    bench = two(
        RecordingProvider("first", answers=[MisconfiguredError("401")]),
        RecordingProvider("second", answers=[MisconfiguredError("401")]),
    )
    await bench.worker.start()
    await bench.worker.take_commands(
        [a_record(0, a_command(1)), a_record(1, a_command(2, expires_at=bench.journey + 1))]
    )
    await eventually(lambda: bench.worker.committable_commands == 2)
    bench.journey += 1
    await eventually(lambda: ("skipped", "expired") in bench.outcomes)
    await bench.worker.drain(1)


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("answers", [(), (TemporaryError("451"),), (AmbiguousError("reset"),)])
async def test_a_crash_between_any_two_steps_asks_no_second_provider_that_could_double(
    on_ambiguous: OnAmbiguous, idempotent: bool, answers: tuple[Exception, ...]
) -> None:
    for crash_at in itertools.count(1):
        steps = itertools.count(1)

        def step(steps: itertools.count[int] = steps, crash_at: int = crash_at) -> None:
            if next(steps) == crash_at:
                raise Crash

        ledger = MemoryLedger(step)
        first = RecordingProvider("first", answers=answers, step=step, idempotent=idempotent)
        second = RecordingProvider("second", step=step, idempotent=idempotent)
        crashed = False
        bench = two(first, second, ledger=ledger, claims=ScriptedClaims(step=step))
        try:
            await bench.deliver(a_command(on_ambiguous=on_ambiguous))
            while row_of(bench).status != "reported":
                await again(bench)
        except Crash:
            crashed = True
            bench = two(first, second, ledger=ledger)
            for row in list(ledger.open()):
                await bench.deliverer.recover(row)
            if a_command().command_id not in ledger.rows:
                await bench.deliver(a_command(on_ambiguous=on_ambiguous))
            while row_of(bench).status != "reported":
                await again(bench)
        sent = len(first.sent) + len(second.sent)
        unsure = bench.outcomes[-1][0] == "ambiguous"
        if idempotent:
            # It drops repeats, so that one of the two has it, once.
            assert (1, False) == (bool(first.sent) + bool(second.sent), unsure)
        elif on_ambiguous == "hold":
            assert sent <= 1
            assert unsure or sent == 1
        else:
            assert sent >= 1
        if not crashed:
            assert crash_at > 5
            return
