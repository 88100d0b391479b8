"""A server that fails is left alone; what says nothing of the server but of the message counts as an answer."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs

from services.dispatcher.circuit import Circuit, CircuitOptions
from services.dispatcher.core.breaker import BreakerPolicy
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    MisconfiguredError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from tests.fakes import FakeClock

POLICY = BreakerPolicy(failures=3, failing=60_000, silent=4_000, first=1_000, longest=8_000)


class Server:
    """A circuit, its clock and how often it opened."""

    def __init__(self) -> None:
        self.clock = FakeClock(0)
        self.opened = 0
        options = CircuitOptions(
            provider="one", left_alone=self._left_alone, policy=POLICY, clock=self.clock, jitter=lambda: 1.0
        )
        self.circuit = Circuit(options)

    def _left_alone(self) -> None:
        self.opened += 1

    async def ask(self, error: Exception | None = None) -> None:
        async def call() -> None:
            if error is not None:
                raise error

        with contextlib.suppress(*([] if error is None else [type(error)])):
            await self.circuit.ask(call())


@pytest.mark.parametrize(
    "error", [BusyError("503"), UnavailableError("reset"), AmbiguousError("500"), KeyError("ours")]
)
async def test_three_failures_in_a_row_open_it(error: Exception) -> None:
    server = Server()
    for _ in range(2):
        await server.ask(error)
    assert (True, 0) == (server.circuit.closed, server.opened)
    await server.ask(error)
    assert (False, False, 1) == (server.circuit.closed, server.circuit.ready, server.opened)


@pytest.mark.parametrize("error", [RefusedError("never this message"), TemporaryError("not this one for now"), None])
async def test_an_answer_about_a_message_ends_the_row_of_failures(error: Exception | None) -> None:
    server = Server()
    for failure in (BusyError("503"), BusyError("503"), error, BusyError("503"), BusyError("503")):
        await server.ask(failure)
    assert server.circuit.closed


async def test_who_refuses_us_is_left_alone_at_once_and_a_person_is_told() -> None:
    server = Server()
    with capture_logs() as lines:
        await server.ask(MisconfiguredError("HTTP 401"))
    assert not server.circuit.closed
    assert ["dispatcher.provider_refuses_us", "dispatcher.provider_left_alone"] == [line["event"] for line in lines]


async def test_it_is_left_alone_for_as_long_as_it_says() -> None:
    server = Server()
    await server.ask(BusyError("429", retry_after=7_000))
    server.clock.now = 6_999
    assert not server.circuit.ready
    server.clock.now = 7_000
    assert server.circuit.ready


async def test_after_the_pause_one_finds_out_and_an_answer_lets_all_pass() -> None:
    server = Server()
    for _ in range(3):
        await server.ask(BusyError("503"))
    server.clock.now = 1_000
    assert (True, False) == (server.circuit.ready, server.circuit.closed)
    server.circuit.probing = True
    assert not server.circuit.ready
    server.circuit.probing = False
    with capture_logs() as lines:
        await server.ask()
    assert (True, ["dispatcher.provider_back"]) == (server.circuit.closed, [line["event"] for line in lines])


async def test_one_that_lets_a_call_hang_is_left_alone_while_it_hangs() -> None:
    server = Server()
    hanging = asyncio.create_task(server.circuit.ask(asyncio.Event().wait()))
    await asyncio.sleep(0)
    server.clock.now = 3_999
    assert (True, False) == (server.circuit.closed, server.circuit.idle)
    server.clock.now = 4_000
    assert (False, 1) == (server.circuit.closed, server.opened)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert server.circuit.idle
