"""What the delivery code asks of its host: a ledger, claims, freshness, clocks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec

from services.dispatcher.core.retry import RetryPolicy
from services.dispatcher.telemetry import Silent, Telemetry
from shared.clock import HOUR, SECOND, Clock, system_clock
from shared.composing.links import NO_LINKS, Links
from shared.errors import KikkakeError, RetryableError
from shared.log import Output
from shared.messages.command import CommandRecord, Mark
from shared.messages.delivery import Delivery

ClaimResult = Literal["granted", "held_elsewhere", "rebuild_first"]


class ClaimsUnavailableError(RetryableError):
    """Whether this owner may send could not be found out: nothing is sent until it can."""


class FencedError(KikkakeError):
    """Another owner has taken this partition over: this one must not write or send any more."""


class Ledger(Protocol):
    """One partition's rows of ``deliveries``. Contract suite: tests/contract/test_ledger.py."""

    @property
    def waiting(self) -> int:
        """How many rows are kept in memory, or their places, because they are not final; 0: none is."""

    def get(self, command_id: str) -> Delivery | None:
        """Return the durable row of ``command_id``; a final or deferred row may have kept only its status."""

    async def put(self, deliveries: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        """Return once all is durable; the outputs are so before the rows that speak of them.

        Raises LogUnavailableError: it may or may not have been written; the same call may be repeated. Many calls at
        once share one write. A row written twice is the row.
        """

    async def load(self, command_ids: Sequence[str]) -> list[Delivery]:
        """Return the ``deferred`` rows among those of ``command_ids``, each with its command.

        Raises LogUnavailableError.
        """

    def open(self) -> Iterator[Delivery]:
        """Yield the rows that are not final: ``deferred`` (maybe without its command), ``sending`` and ``settled``."""


class Claims(Protocol):
    """The right to hand a command to its provider, against a former owner that does not know it is one."""

    async def acquire(self, command_id: str | None) -> ClaimResult:
        """Ask for ``command_id`` for the length of one lease; asked again by its holder, the lease starts anew.

        None asks whether a claim could be had now, and takes none.

        Answers within about a second, or raises ClaimsUnavailableError. Raises FencedError if superseded.
        """

    async def release(self, command_id: str) -> None:
        """Give the claim back early. Best effort: a claim that is not given back ends with its lease."""

    async def rebuild(self) -> None:
        """Bring the claims' copy up to the ledger after it was lost. Repeating is harmless."""


class Freshness(Protocol):
    """Whether every cancel that can concern a command has been heard of."""

    def allows(self, decided_at: int, now: int) -> bool:
        """Return whether a command decided at ``decided_at`` may be sent at machine time ``now``."""

    def note_mark(self, mark: Mark) -> None:
        """Take notice of a mark; older ones than known change nothing."""

    def note_end(self, now: int) -> None:
        """Take notice that ``cancels`` was read to its end at machine time ``now``."""


class AlwaysFresh:
    """Freshness where decision and cancel share one transaction: what is cancelled is known before it can be sent."""

    def allows(self, decided_at: int, now: int) -> bool:
        """Return True."""
        return True

    def note_mark(self, mark: Mark) -> None:
        """Nothing to notice."""

    def note_end(self, now: int) -> None:
        """Nothing to notice."""


class LocalClaims:
    """Claims of a host with one process: nobody else could hold one."""

    async def acquire(self, command_id: str | None) -> ClaimResult:
        """Return ``granted``."""
        return "granted"

    async def release(self, command_id: str) -> None:
        """Nothing to give back."""

    async def rebuild(self) -> None:
        """Nothing to rebuild."""


class Clocks(msgspec.Struct, frozen=True):
    """Journey time (expiry, deferrals, dates in messages) and machine time (back-off, leases, freshness)."""

    journey: Clock = system_clock
    machine: Clock = system_clock


class DeliveryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a host decides. ``max_age`` None: commands are kept as long as they wait.

    ``links`` adds what leads back to us; ``stopped`` knows those of stopped journeys; ``owned`` is asked right
    before each provider call; ``call_retry`` is quicker than ``retry``, for a run waits for the answer; ``patience``
    (seconds) is how long a message waits in line for a connection to its provider.
    """

    clocks: Clocks = Clocks()
    freshness: Freshness = AlwaysFresh()
    telemetry: Telemetry = Silent()
    retry: RetryPolicy = RetryPolicy()
    call_retry: RetryPolicy = RetryPolicy(
        base=SECOND, longest=15 * SECOND, longest_away=15 * SECOND, attempts=8, age=HOUR
    )
    max_age: int | None = None
    patience: float = 2.0
    pause: float = 0.5
    jitter: Callable[[], float] = random.random
    links: Links = NO_LINKS
    stopped: Callable[[CommandRecord], bool] = lambda _command: False
    owned: Callable[[], bool] = lambda: True
