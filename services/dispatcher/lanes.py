"""A provider as the dispatcher's partitions share it: its connections, its line, its rate and its breaker.

What waits for a provider or is in its hands takes places of its lane and none of a partition. A lane without room
turns messages away at once; they wait in ``deliveries`` until it has room again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from services.dispatcher.circuit import Circuit, CircuitOptions
from services.dispatcher.core.breaker import BreakerPolicy
from services.dispatcher.errors import BusyError
from services.dispatcher.hands import Hands
from services.dispatcher.rates import RateLimit, RateUnavailableError
from shared.clock import Clock, system_clock

P = TypeVar("P")
R = TypeVar("R")
# A provider that is well empties a line of four for each hand in some milliseconds, and between two looks of the
# schedule it does not run dry.
_LINE = 4
# Of those whose address names the server, such as webhooks; an idle one that was not used for longest goes.
_PARTIES = 1_000
# For how long (ms) the turns of a rate are kept for an urgent message that found none: two looks of the schedule.
_KEPT_FOR_URGENT = 100


class LaneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``overflow``: what it has no room for goes to the next provider. ``key_age`` (ms): how long it knows a key.

    ``party`` gives of an address whose server is asked: where each has one of their own, its trouble is nobody else's.
    """

    rate: RateLimit | None = None
    overflow: bool = False
    key_age: int | None = None
    party: Callable[[str], str] | None = None
    breaker: BreakerPolicy = BreakerPolicy()
    clock: Clock = system_clock
    jitter: Callable[[], float] = random.random


class Lane(Generic[P]):
    """A provider (of a channel, or a connector) with ``width`` connections; ``name`` is its id."""

    def __init__(self, provider: P, width: int, *, name: str, options: LaneOptions | None = None) -> None:
        self.provider = provider
        self.name = name
        self.options = options or LaneOptions()
        self.called = 0
        """How many were taken out of the schedule for it and have not come in yet."""
        self._hands = Hands(width)
        self._width = width
        self._held = 0
        self._without_turn = 0
        self._ask_at = 0
        self._urgent_until = 0
        self._circuits: dict[str, Circuit] = {}

    def ready(self, address: str = "") -> bool:
        """Return whether the breaker of the server of ``address`` lets a message pass now."""
        return self._circuit(address).ready

    @property
    def left_alone(self) -> int:
        """How many servers are left alone now."""
        return sum(not circuit.closed for circuit in self._circuits.values())

    def closed_until(self, address: str = "") -> int:
        """Return when to try again after ``ready`` was False."""
        return max(self._circuit(address).breaker.until or 0, self.options.clock())

    def room(self, *, urgent: bool = False) -> int:
        """Return how many messages may enter now; ``urgent`` ones find a second line of the same length.

        Where there is a rate, what an urgent one did not find is kept for it: others would take each turn before it.
        """
        now = self.options.clock()
        places = 0 if now < self._ask_at else self._places(now, urgent=urgent)
        if urgent and not places and self.options.rate is not None:
            self._urgent_until = max(now, self._ask_at) + _KEPT_FOR_URGENT
        return places

    def _places(self, now: int, *, urgent: bool) -> int:
        places = self._width * (1 + _LINE * (2 if urgent else 1)) - self._held
        if self.options.party is None:
            circuit = self._circuit("")
            if not circuit.ready:
                return 0
            if not circuit.closed:
                return min(1, self._hands.free)
        if self.options.rate is not None:
            if not urgent and now < self._urgent_until:
                return 0
            places = min(places, self.options.rate.rate.ahead - self._without_turn)
        return max(0, places)

    def enter(self, address: str = "", *, urgent: bool = False) -> Place[P] | None:
        """Take a place at once, which is to be left again; None: there is no room, or the breaker is open."""
        if not self.room(urgent=urgent) or not self.ready(address):
            return None
        self._held += 1
        self._without_turn += self.options.rate is not None
        return Place(self, self._circuit(address), urgent=urgent)

    async def connect(self, patience: float, *, urgent: bool) -> bool:
        """Take a connection, the urgent first; False: none came free within ``patience`` seconds, or turned away."""
        return await self._hands.take(patience, urgent=urgent)

    async def turn(self) -> bool:
        """Wait for a turn where there is a rate; False: there is none for now."""
        rate = self.options.rate
        if rate is None:
            return True
        try:
            given = await rate.take()
        except RateUnavailableError:
            return False
        if not given.granted:
            self._ask_at = self.options.clock() + given.after
            self._hands.turn_away()
            return False
        if given.after:
            await asyncio.sleep(given.after / 1000)
        return True

    def note_turn(self) -> None:
        """One that had a place has its turn, or needs none any more."""
        self._without_turn -= 1

    def leave(self, *, connected: bool) -> None:
        """Give a place back, and its connection."""
        self._held -= 1
        if connected:
            self._hands.give()

    def _circuit(self, address: str) -> Circuit:
        party = "" if self.options.party is None else self.options.party(address)
        circuit = self._circuits.pop(party, None)
        if circuit is None:
            options = self.options
            circuit = Circuit(
                CircuitOptions(
                    provider=self.name,
                    left_alone=self._hands.turn_away if options.party is None else _nothing,
                    policy=options.breaker,
                    clock=options.clock,
                    jitter=options.jitter,
                )
            )
            idle = (name for name, one in self._circuits.items() if one.idle)
            if len(self._circuits) >= _PARTIES and (oldest := next(idle, None)) is not None:
                del self._circuits[oldest]
        # The one used last stands last.
        self._circuits[party] = circuit
        return circuit


class Place(Generic[P]):
    """One message's place in a lane, from its entry until it leaves."""

    def __init__(self, lane: Lane[P], circuit: Circuit, *, urgent: bool) -> None:
        self.lane = lane
        self._circuit = circuit
        self._urgent = urgent
        self._connected = False
        self._left = False
        self._waits_for_turn = lane.options.rate is not None
        self._probe = not circuit.closed
        circuit.probing = circuit.probing or self._probe

    async def connect(self, patience: float) -> bool:
        """Get a connection and a turn; False: not within ``patience`` seconds, or not for now."""
        self._connected = await self.lane.connect(patience, urgent=self._urgent)
        if not self._connected or not await self.lane.turn():
            return False
        self._note_turn()
        return self._probe or self._circuit.closed

    async def ask(self, call: Awaitable[R]) -> R:
        """Await ``call`` to the provider. What it comes to is told to the breaker, and to all who share its rate."""
        try:
            return await self._circuit.ask(call)
        except BusyError as error:
            if error.retry_after and self.lane.options.rate is not None:
                await self.lane.options.rate.pause(error.retry_after)
            raise

    def leave(self) -> None:
        """Give the place and its connection back. Twice is harmless."""
        if self._left:
            return
        self._left = True
        self._note_turn()
        if self._probe:
            self._circuit.probing = False
        self.lane.leave(connected=self._connected)

    def _note_turn(self) -> None:
        if self._waits_for_turn:
            self._waits_for_turn = False
            self.lane.note_turn()


def choose(lanes: Sequence[Lane[Any]], address: str = "", *, urgent: bool = False) -> Lane[Any] | None:
    """Return the first of ``lanes`` that can take a message now; None: it waits.

    Past a provider that is left alone the next one is asked. One that only has no room is waited for, unless its
    ``overflow`` says otherwise: its rate and connections are what the operator wants it to be asked.
    """
    for lane in lanes:
        if not lane.ready(address):
            continue
        if lane.room(urgent=urgent):
            return lane
        if not lane.options.overflow:
            return None
    return None


def _nothing() -> None:
    return None
