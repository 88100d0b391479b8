"""The way of one message: what it does at each answer, and after a crash between any two steps."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from services.dispatcher.core.freshness import CancelsSeen
from services.dispatcher.core.rows import Work
from services.dispatcher.delivery import Deliverer
from services.dispatcher.errors import (
    AmbiguousError,
    DeadAddressError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from services.dispatcher.freshness import CancelsFresh
from services.dispatcher.ports import ClaimsUnavailableError
from shared.clock import DAY, SECOND
from shared.log import Output
from shared.messages.command import Mark, OnAmbiguous
from shared.messages.delivery import Delivery
from shared.messages.outcome import Attempt, DeadAddress
from tests.dispatching import NOON, Bench, a_command, eventually, outcomes
from tests.fakes import MemoryLedger, RecordingProvider, ScriptedClaims


async def test_a_message_is_sent_settled_and_reported() -> None:
    bench = Bench()
    assert "reported" == await bench.deliver(a_command())
    assert ["sending", "settled", "reported"] == bench.memory.history
    assert [("sent", None)] == bench.outcomes
    message = bench.channel.sent[0]
    assert {"subject": "Hi Ann", "text": "Hello Ann"} == message.parts
    assert ("c1@example.com", NOON) == (message.address, message.at)


async def test_a_command_that_was_reported_is_not_sent_again() -> None:
    bench = Bench()
    await bench.deliver(a_command())
    await bench.deliver(a_command())
    assert 1 == len(bench.channel.sent)
    assert 1 == len(bench.outcomes)


async def test_an_outcome_s_id_depends_on_the_command_alone() -> None:
    """Two owners that end a command differently still report one end."""
    sent, failed = Bench(), Bench(RecordingProvider(answers=[RefusedError("550")]))
    await sent.deliver(a_command())
    await failed.deliver(a_command())
    ids = {outcomes(bench.memory.outputs)[0].message_id for bench in (sent, failed)}
    assert 1 == len(ids)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"expires_at": NOON}, "expired"),
        ({"addresses": {}}, "unreachable"),
        ({"data": {"contact": {"name": None}}}, "template_error"),
        ({"data": {}}, "template_error"),
        (
            {"content": {"email": {"subject": "x", "text": "{% for i in (1..999999999) %}x{% endfor %}"}}},
            "template_error",
        ),
    ],
)
async def test_what_must_not_be_sent_is_skipped_with_its_reason(changes: dict[str, Any], expected: str) -> None:
    bench = Bench()
    assert "reported" == await bench.deliver(a_command(**changes))
    assert [] == bench.channel.sent
    assert [("skipped", expected)] == bench.outcomes


async def test_expiry_is_journey_time() -> None:
    bench = Bench()
    bench.machine += DAY
    await bench.deliver(a_command(expires_at=NOON + SECOND))
    assert [("sent", None)] == bench.outcomes


async def test_a_command_older_than_the_log_keeps_it_is_never_sent() -> None:
    bench = Bench(max_age=7 * DAY)
    await bench.deliver(a_command(), recorded_at=NOON - 7 * DAY)
    assert [("skipped", "expired")] == bench.outcomes


async def test_a_stopped_journey_sends_nothing() -> None:
    bench = Bench(stopped=lambda command: (command.journey, command.decided_at) == ("cart", NOON))
    await bench.deliver(a_command())
    assert [("skipped", "journey_stopped")] == bench.outcomes


async def test_a_cancel_between_the_checks_and_the_hand_over_still_wins() -> None:
    class CancelAtSending(MemoryLedger):
        async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
            await super().put(deliveries, outputs)
            if deliveries and deliveries[0].status == "sending":
                bench.deliverer.cancelling[deliveries[0].command_id] = "converted"

    bench = Bench(ledger=CancelAtSending())
    assert "deferred" == await bench.deliver(a_command())
    assert "reported" == await bench.deliver(a_command())
    assert [] == bench.channel.sent
    assert [("skipped", "exited")] == bench.outcomes


async def test_a_temporary_refusal_is_tried_again_later() -> None:
    bench = Bench(channel := RecordingProvider(answers=[TemporaryError("451")]))
    assert "deferred" == await bench.deliver(a_command())
    row = bench.memory.rows[a_command().command_id]
    assert (1, "machine", NOON + 5 * SECOND) == (row.attempt, row.clock, row.retry_at)
    assert [] == channel.sent
    assert [] == bench.outcomes


async def test_refusals_are_bounded_and_absence_by_age() -> None:
    bench = Bench(
        RecordingProvider(answers=[TemporaryError("451"), UnavailableError("gone"), UnavailableError("gone")])
    )
    await bench.deliver(a_command(), attempt=15)
    assert [("failed", "gave_up")] == bench.outcomes
    assert "deferred" == await bench.deliver(a_command(2), attempt=15, since=NOON - DAY + 1)
    assert "reported" == await bench.deliver(a_command(3), since=NOON - DAY)


async def test_a_final_refusal_goes_on_with_the_next_channel_as_the_same_command() -> None:
    email, sms = RecordingProvider(answers=[RefusedError("550 5.1.1")]), RecordingProvider("sms")
    bench = Bench(email, sms)
    assert "deferred" == await bench.deliver(a_command(channels=("email", "sms")))
    row = bench.memory.rows[a_command().command_id]
    assert row.command is not None
    await bench.deliver(row.command)
    assert [a_command().command_id] == [message.command_id for message in sms.sent]
    assert "sms" == outcomes(bench.memory.outputs)[0].channel


async def test_a_final_refusal_of_the_last_channel_fails_with_the_provider_s_code() -> None:
    bench = Bench(RecordingProvider(answers=[RefusedError("550 5.1.1")]))
    await bench.deliver(a_command())
    outcome = outcomes(bench.memory.outputs)[0]
    assert ("failed", "refused", "550 5.1.1") == (outcome.status, outcome.reason, outcome.detail)


@pytest.mark.parametrize(
    ("why", "reason"),
    [("unregistered", "unregistered"), ("invalid", "invalid_address"), ("opted_out", "opted_out")],
)
async def test_a_dead_address_is_told_by_its_own_reason(why: DeadAddress, reason: str) -> None:
    bench = Bench(RecordingProvider(answers=[DeadAddressError("410", why=why)]))
    await bench.deliver(a_command())
    outcome = outcomes(bench.memory.outputs)[0]
    assert ("failed", reason, why, "email") == (outcome.status, outcome.reason, outcome.dead, outcome.provider)


async def test_the_outcome_tells_each_channel_that_was_tried_before_its_own() -> None:
    """The first one's address is dead, also when the next one took the message."""
    bench = Bench(RecordingProvider(answers=[DeadAddressError("410", why="unregistered")]), RecordingProvider("sms"))
    await bench.deliver(a_command(channels=("email", "sms")))
    row = bench.memory.rows[a_command().command_id]
    assert row.command is not None
    await bench.deliver(row.command, tried=row.tried)
    outcome = outcomes(bench.memory.outputs)[0]
    assert ("sent", "sms", "sms", None) == (outcome.status, outcome.channel, outcome.provider, outcome.dead)
    first = Attempt(channel="email", reason="unregistered", detail="410", provider="email", dead="unregistered")
    assert (first,) == outcome.tried


async def test_a_lost_answer_is_ambiguous_and_the_command_says_what_then() -> None:
    hold = Bench(RecordingProvider(answers=[AmbiguousError()]))
    assert "reported" == await hold.deliver(a_command())
    assert [("ambiguous", None)] == hold.outcomes
    retry = Bench(RecordingProvider(answers=[AmbiguousError()]))
    assert "deferred" == await retry.deliver(a_command(on_ambiguous="retry"))


async def test_a_channel_that_raises_anything_else_is_ambiguous() -> None:
    bench = Bench(RecordingProvider(answers=[KeyError("bug")]))
    await bench.deliver(a_command())
    assert [("ambiguous", None)] == bench.outcomes


async def test_nothing_is_written_or_sent_while_claims_cannot_be_had() -> None:
    bench = Bench(claims=ScriptedClaims(ClaimsUnavailableError(), "held_elsewhere"))
    assert await bench.deliver(a_command()) is None
    assert await bench.deliver(a_command()) is None
    assert {} == bench.memory.rows
    assert "reported" == await bench.deliver(a_command())


async def test_claims_lost_after_sending_was_written_send_nothing() -> None:
    bench = Bench(claims=ScriptedClaims("granted", ClaimsUnavailableError()))
    assert "deferred" == await bench.deliver(a_command())
    assert [] == bench.channel.sent


async def test_what_a_former_owner_holds_is_asked_for_again_in_seconds_and_not_at_each_look() -> None:
    bench = Bench(claims=ScriptedClaims("granted", "held_elsewhere"))
    assert "deferred" == await bench.deliver(a_command())
    row = bench.memory.rows[a_command().command_id]
    assert ("machine", NOON + 5 * SECOND) == (row.clock, row.retry_at)
    assert [] == bench.channel.sent


async def test_claims_that_were_lost_are_rebuilt_first() -> None:
    claims = ScriptedClaims("rebuild_first")
    bench = Bench(claims=claims)
    assert "reported" == await bench.deliver(a_command())
    assert 1 == claims.rebuilt


async def test_a_partition_that_is_not_ours_any_more_sends_nothing() -> None:
    bench = Bench(owned=lambda: False)
    assert "deferred" == await bench.deliver(a_command())
    assert [] == bench.channel.sent


async def test_an_older_command_waits_until_the_cancels_are_known() -> None:
    """Nobody gets a reminder for a cart that was bought while we were behind."""
    fresh = CancelsFresh()
    bench = Bench(freshness=fresh)
    bench.machine += 2 * SECOND
    assert "deferred" == await bench.deliver(a_command())
    fresh.note_mark(Mark(partition=3, log_time=NOON, caught_up=True, written_at=bench.machine))
    assert "deferred" == await bench.deliver(a_command())
    fresh.note_end(bench.machine)
    assert "reported" == await bench.deliver(a_command())
    assert CancelsSeen(marked_at=bench.machine, caught_up=True, end_read_at=bench.machine) == fresh.seen


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("first_answer", [None, TemporaryError("451"), RefusedError("550")])
async def test_a_crash_between_any_two_steps_loses_nothing_and_doubles_only_what_is_declared(
    on_ambiguous: OnAmbiguous, idempotent: bool, first_answer: Exception | None
) -> None:
    for crash_at in itertools.count(1):
        steps = itertools.count(1)

        def step(steps: itertools.count[int] = steps, crash_at: int = crash_at) -> None:
            if next(steps) == crash_at:
                raise Crash

        ledger = MemoryLedger(step)
        channel = RecordingProvider(answers=[first_answer], step=step, idempotent=idempotent)
        sms = RecordingProvider("sms", step=step, idempotent=idempotent)
        command = a_command(on_ambiguous=on_ambiguous, channels=("email", "sms"))
        crashed = False
        bench = Bench(channel, sms, ledger=ledger, claims=ScriptedClaims(step=step))
        try:
            await until_reported(bench.deliverer, ledger, Work(command))
        except Crash:
            crashed = True
            again = Bench(channel, sms, ledger=ledger)
            for row in list(ledger.open()):
                await again.deliverer.recover(row)
            await until_reported(again.deliverer, ledger, Work(command))
        check_one_end(ledger, [*channel.sent, *sms.sent], on_ambiguous, idempotent)
        if not crashed:
            assert crash_at > 8
            return


async def until_reported(deliverer: Deliverer, ledger: MemoryLedger, work: Work) -> None:
    row = await deliverer.deliver(work)
    while row is None or row.status != "reported":
        command = work.command if row is None or row.command is None else row.command
        row = await deliverer.deliver(Work(command, 0 if row is None else row.attempt))


def check_one_end(ledger: MemoryLedger, sent: Sequence[object], on_ambiguous: str, idempotent: bool) -> None:
    ends = outcomes(ledger.outputs)
    assert 1 == len({outcome.message_id for outcome in ends})
    assert 1 == len({outcome.status for outcome in ends})
    unsure = ends[0].status == "ambiguous"
    if on_ambiguous == "hold" and not idempotent:
        assert len(sent) == 1 or (unsure and len(sent) == 0)
    else:
        assert not unsure
        assert len(sent) in (1, 2)


class Gated(MemoryLedger):
    """Writes no row of ``status`` before ``gate`` is open; ``waits``: one stands before it."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.waits = False
        self._status = status

    async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        if any(row.status == self._status for row in deliveries):
            self.waits = True
            await self.gate.wait()
        await super().put(deliveries, outputs)


@pytest.mark.parametrize(("status", "asked"), [("settled", 1), ("reported", 2)])
async def test_a_connection_is_kept_until_the_end_is_durable_and_not_until_it_was_told(status: str, asked: int) -> None:
    """No more than there are connections can be in doubt after a crash, and none waits for what is told."""
    ledger = Gated(status)
    bench = Bench(ledger=ledger, lane_width=1)
    first = asyncio.create_task(bench.deliver(a_command(1)))
    await eventually(lambda: ledger.waits)
    second = asyncio.create_task(bench.deliver(a_command(2)))
    if asked == 1:
        assert "deferred" == await second
    await eventually(lambda: len(bench.channel.sent) == asked)
    ledger.gate.set()
    await asyncio.gather(first, second)
    assert asked == len(bench.channel.sent)
