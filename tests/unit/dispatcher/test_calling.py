"""Calls: the ledger's machinery around a connector, and how each end of a call is reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from services.dispatcher.calling import ANSWER_BYTES
from services.dispatcher.connectors.base import AnswerTooLargeError
from services.dispatcher.core.rows import Work
from services.dispatcher.errors import RefusedError, TemporaryError, UnavailableError
from shared.clock import SECOND
from shared.messages.delivery import Delivery
from tests.dispatching import NOON, Bench, a_call, a_cancel, a_record, eventually
from tests.fakes import MemoryLedger, RecordingConnector


class CrashError(Exception):
    """The process dies here."""


def bench(*answers: Any, ledger: MemoryLedger | None = None) -> tuple[Bench, RecordingConnector]:
    connector = RecordingConnector(answers)
    return Bench(ledger=ledger, connectors={"coupons.issue": connector}), connector


def reported(made: Bench) -> list[tuple[str | None, Any]]:
    return [(answer.error, answer.data) for answer in made.answers]


async def test_the_answer_comes_back_as_an_event_past_an_acknowledged_sending() -> None:
    made, connector = bench({"code": "TEN"})
    assert "reported" == await made.deliver(a_call())
    assert ["sending", "settled", "reported"] == made.memory.history
    [answer] = made.answers
    assert (None, {"code": "TEN"}, "coupon", NOON) == (answer.error, answer.data, answer.step, answer.at)
    [request] = connector.asked
    assert (a_call().command_id, "u:c1", {"percent": 10}) == (request.command_id, request.contact, request.arguments)


async def test_a_connector_that_nobody_configured_is_said_so_at_once() -> None:
    made, _ = bench()
    assert "reported" == await made.deliver(a_call(connector="crm"))
    assert [("no_connector", None)] == reported(made)
    assert ["reported"] == made.memory.history


@pytest.mark.parametrize(
    ("met", "reason"),
    [
        (RefusedError("HTTP 422"), "refused"),
        (AnswerTooLargeError("long"), "answer_too_large"),
    ],
)
async def test_a_final_refusal_is_an_error(met: Exception, reason: str) -> None:
    made, _ = bench(met)
    await made.deliver(a_call())
    assert [(reason, None)] == reported(made)


async def test_an_answer_of_more_bytes_than_a_run_keeps_is_an_error() -> None:
    just, over = "x" * (ANSWER_BYTES - 2), "x" * (ANSWER_BYTES - 1)
    assert [(None, just)] == reported(await ended_with(just))
    assert [("answer_too_large", None)] == reported(await ended_with(over))


async def ended_with(data: Any) -> Bench:
    made, _ = bench(data)
    await made.deliver(a_call())
    return made


async def test_a_temporary_error_is_tried_again_soon_and_with_the_same_key() -> None:
    made, connector = bench(TemporaryError("HTTP 503"), {"code": "TEN"})
    assert "deferred" == await made.deliver(a_call())
    row = made.memory.rows[a_call().command_id]
    assert NOON < (row.retry_at or 0) <= NOON + SECOND
    assert "reported" == await made.deliver(a_call(), attempt=row.attempt)
    assert [(None, {"code": "TEN"})] == reported(made)
    assert [a_call().command_id] * 2 == [request.command_id for request in connector.asked]


async def test_it_gives_up_after_eight_refusals() -> None:
    made, _ = bench(*[TemporaryError("HTTP 503")] * 8)
    for attempt in range(8):
        await made.deliver(a_call(), attempt=attempt)
    assert [("gave_up", None)] == reported(made)


async def test_nobody_is_asked_once_nobody_waits() -> None:
    made, connector = bench({"code": "TEN"})
    made.journey = a_call().expires_at
    await made.deliver(a_call())
    assert ([("expired", None)], []) == (reported(made), connector.asked)


async def test_a_cancelled_call_is_not_made() -> None:
    made, connector = bench({"code": "TEN"})
    await made.worker.start()
    await made.worker.take_cancels([a_record(0, a_cancel())])
    await made.worker.take_commands([a_record(0, a_call())])
    await eventually(lambda: bool(made.answers))
    assert ([("exited", None)], []) == (reported(made), connector.asked)
    await made.worker.drain(1)


@pytest.mark.parametrize("step", range(6))
async def test_a_crash_at_any_write_ends_in_one_answer(step: int) -> None:
    """``sending`` without ``settled`` is asked again: the connector drops the repeat by its key."""
    countdown = [step]

    def crash() -> None:
        countdown[0] -= 1
        if countdown[0] == -1:
            raise CrashError

    ledger = MemoryLedger(crash)
    first, one = bench({"code": "TEN"}, ledger=ledger)
    with pytest.raises(CrashError):
        await first.deliver(a_call())
    second, other = bench({"code": "TEN"}, ledger=ledger)
    for row in list(ledger.open()):
        recovered = await second.deliverer.recover(row)
        assert recovered.status in ("deferred", "reported")
    await second.deliver(a_call())
    assert {(None, "TEN")} == {(answer.error, answer.data["code"]) for answer in second.answers}
    assert 1 == len({answer.message_id for answer in second.answers})
    asked: Sequence[str] = [request.command_id for request in (*one.asked, *other.asked)]
    assert {a_call().command_id} == set(asked)


async def test_what_a_former_owner_left_at_the_connector_is_asked_again() -> None:
    made, connector = bench({"code": "TEN"})
    left = Delivery(command_id=a_call().command_id, status="sending", at=NOON, command=a_call())
    made.memory.rows[left.command_id] = left
    await made.worker.start()
    await eventually(lambda: bool(made.answers))
    assert ([(None, {"code": "TEN"})], 1) == (reported(made), len(connector.asked))
    await made.worker.drain(1)


async def test_a_connector_that_raises_ends_its_own_call_with_a_dead_letter() -> None:
    made, _ = bench(ZeroDivisionError())
    await made.worker.start()
    await made.worker.take_commands([a_record(0, a_call())])
    await eventually(lambda: bool(made.answers))
    assert [("internal_error", None)] == reported(made)
    assert ["commands.dlq"] == [output.topic for output in made.memory.outputs if output.topic != "events"]
    await made.worker.drain(1)


async def test_a_connector_that_is_away_is_not_counted_as_a_refusal() -> None:
    made, _ = bench(UnavailableError("ConnectError"))
    row = await made.deliverer.deliver(Work(a_call()))
    assert row is not None
    assert ("deferred", 0) == (row.status, row.attempt)
