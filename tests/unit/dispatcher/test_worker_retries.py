"""The worker's schedule: nothing is forgotten, nothing is tried twice, and what waits is not written over and over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec

from services.dispatcher.core.breaker import BreakerPolicy
from services.dispatcher.core.rate import Rate
from services.dispatcher.errors import AmbiguousError, MisconfiguredError
from services.dispatcher.ports import ClaimResult
from services.dispatcher.rates import LocalRate
from shared.clock import HOUR, MINUTE
from shared.composing.links import MessageLinks
from shared.links.link import link_of
from shared.links.seals import Seals
from shared.messages.command import Hours
from shared.messages.delivery import Delivery
from tests.dispatching import NOON, Bench, a_command, a_record, eventually
from tests.fakes import MemoryLedger, RecordingProvider, ScriptedClaims

COMMAND = a_command()
SEALS = Seals(["s" * 32])
QUIET = Hours(reason="quiet_hours", start="11:00", end="13:00", zone="UTC", when_closed="defer")


def a_row(**changes: Any) -> Delivery:
    row = Delivery(command_id=COMMAND.command_id, status="deferred", at=NOON, retry_at=NOON, command=COMMAND)
    return msgspec.structs.replace(row, **changes)


class Reopened(MemoryLedger):
    """Yields ``found`` at the start: one entry of the schedule for each; what holds is the last."""

    def __init__(self, *found: Delivery) -> None:
        super().__init__()
        self.rows[COMMAND.command_id] = found[-1]
        self._found = found

    def open(self) -> Iterator[Delivery]:
        return iter(self._found)


class StatusOnly(MemoryLedger):
    """Tells of a deferred row no more than that it is one; ``load`` has it whole."""

    def get(self, command_id: str) -> Delivery | None:
        row = super().get(command_id)
        if row is None or row.status != "deferred":
            return row
        return Delivery(command_id=command_id, status="deferred", at=0)


class SlowClaims(ScriptedClaims):
    """Answers once ``open`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.open = asyncio.Event()

    async def acquire(self, command_id: str | None) -> ClaimResult:
        self.asked += 1
        await self.open.wait()
        return await super().acquire(command_id)


async def test_an_entry_that_has_moved_on_does_not_hide_the_one_that_holds() -> None:
    before = a_row(retry_at=NOON - HOUR)
    bench = Bench(ledger=Reopened(before, a_row(retry_at=NOON - 1, clock="journey")))
    await bench.worker.start()
    await eventually(lambda: bench.outcomes == [("sent", None)])
    await bench.worker.drain(1)


async def test_what_is_in_hand_is_not_tried_a_second_time_from_what_its_row_said_before() -> None:
    """The first provider may have it by then: the second one would double it."""
    first = RecordingProvider("first", answers=[AmbiguousError("reset")], idempotent=True)
    second, claims = RecordingProvider("second"), SlowClaims()
    bench = Bench(
        ledger=Reopened(a_row(retry_at=NOON + 1, clock="journey"), a_row(retry_at=NOON + 1)),
        claims=claims,
        lanes=lambda made: {
            "email": [made.lane(first, breaker=BreakerPolicy(failures=1)), made.lane(second)],
        },
    )
    await bench.worker.start()
    bench.machine += 1
    await eventually(lambda: claims.asked > 0)
    bench.journey += 1
    await asyncio.sleep(0.02)
    claims.open.set()
    await eventually(lambda: bench.worker.idle)
    bench.machine += MINUTE
    await eventually(lambda: bench.outcomes == [("sent", None)])
    assert (1, 0) == (len(first.sent), len(second.sent))
    await bench.worker.drain(1)


async def test_what_waits_for_room_is_not_forgotten_by_a_ledger_that_tells_its_status_alone() -> None:
    provider = RecordingProvider()
    bench = Bench(
        ledger=StatusOnly(),
        lanes=lambda made: {
            "email": [made.lane(provider, rate=LocalRate(Rate(1, MINUTE), lambda: made.machine))],
        },
    )
    rate = bench.deliverer.line(a_row()).lanes[0].options.rate
    assert rate is not None
    await bench.worker.start()
    await bench.worker.take_commands([a_record(number, a_command(number)) for number in range(2)])
    await eventually(lambda: bench.worker.committable_commands == 2)
    for _ in range(2):
        bench.machine += MINUTE
        # Another process was quicker.
        assert (await rate.take()).granted
        await asyncio.sleep(0.02)
        assert 1 == len(provider.sent)
    bench.machine += MINUTE
    await eventually(lambda: len(provider.sent) == 2)
    await bench.worker.drain(1)


async def test_what_waits_for_the_morning_is_not_written_again_while_its_provider_is_away() -> None:
    provider = RecordingProvider(answers=[MisconfiguredError("401")])
    bench = Bench(provider)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(0, a_command(1)), a_record(1, a_command(2, hours=(QUIET,)))])
    await eventually(lambda: bench.worker.committable_commands == 2)
    written = len(bench.memory.history)
    await asyncio.sleep(0.2)
    assert 2 == bench.worker.scheduled
    assert written + 1 >= len(bench.memory.history)
    await bench.worker.drain(1)


async def test_what_was_put_off_still_knows_where_its_record_is() -> None:
    """By its place the message is found again when it is shown in a browser."""
    links = MessageLinks(SEALS, "https://m.shop.example")
    command = a_command(
        content={"email": {"subject": "Hi", "text": "{{ message.view_in_browser_url }}"}}, hours=(QUIET,), topic="news"
    )
    bench = Bench(links=links)
    await bench.worker.start()
    await bench.worker.take_commands([a_record(41, command)])
    await eventually(lambda: bench.worker.scheduled == 1)
    assert [] == bench.channel.sent
    bench.journey = bench.machine = NOON + 2 * HOUR
    await eventually(lambda: len(bench.channel.sent) == 1)
    await bench.worker.drain(1)
    [message] = bench.channel.sent
    link = link_of(SEALS, "view", message.parts["text"].rpartition("/")[2])
    assert link is not None
    assert "41" == link.target


async def test_what_was_called_to_a_lane_and_is_given_up_leaves_it_its_room() -> None:
    claims, ledger = SlowClaims(), MemoryLedger()
    ledger.rows[COMMAND.command_id] = a_row()
    bench = Bench(claims=claims, ledger=ledger, lanes=lambda bench: {"email": [bench.lane(bench.channel)]})
    [lane] = bench.deliverer.line(a_row()).lanes
    await bench.worker.start()
    await eventually(lambda: claims.asked == 1)
    assert 1 == lane.called
    await bench.worker.drain(0)
    assert 0 == lane.called
