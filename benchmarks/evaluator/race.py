"""One run of one contestant: what it did in the measured part, and whether it decided what was to be decided."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.evaluator.contestants import Contestant, Race, Runner
from benchmarks.evaluator.kafka import Commands, Kafka, commands
from benchmarks.evaluator.workload import PARTITIONS, Size, Workload
from shared.clock import DAY, system_clock
from shared.kafka.admin import ensure_topics
from shared.settings import KafkaSettings

_STILL = 120.0
"""Seconds without a new command after which a run is given up."""
_TAIL = 1.5
"""Seconds after the last command whose CPU counts: what was still to be committed belongs to the work."""
_LINGER, _LINGER_LATENCY = 100, 5
"""ms that the producer of Kafka Streams may wait: its own, and a short one where latency is measured."""


class Run(NamedTuple):
    """Events per CPU second of the whole process, and per second by the clock; MiB at the peak."""

    per_core: float
    rate: float
    peak: float


class Bench:
    """All races on one broker."""

    def __init__(self, bootstrap: str, sizes: dict[bool, Size]) -> None:
        """``sizes`` has what the slow get, and the others."""
        self._kafka = Kafka(bootstrap)
        self._sizes = sizes
        # Time is the acts' own. Not before now, for the first record that the evaluator finds bears the clock's.
        self._start = system_clock() + DAY
        self._works = {slow: Workload(size.acts, size.contacts, self._start) for slow, size in sizes.items()}
        self._count = 0

    async def prepare(self) -> None:
        """Write the topics that all who read bare JSON share; the evaluator's stands beside its state each time."""
        for slow, work in self._works.items():
            await self._kafka.create(_shared(slow=slow))
            await self._kafka.load(_shared(slow=slow), work, len(work.acts), bare=True)

    async def race(self, contestant: Contestant) -> Run:
        """Let ``contestant`` work off all acts, which wait for it in the topic."""
        work, warm = self._works[contestant.slow], self._sizes[contestant.slow].warm
        shared = _shared(slow=contestant.slow) if contestant.bare else None
        async with self._running(contestant, work, len(work.acts), _LINGER, shared) as (_, runner, found):
            begin: tuple[float, float, int] | None = None
            ended = time.monotonic()
            while found.count < work.wanted.total() or time.monotonic() < ended + _TAIL:
                before = found.count
                await found.look()
                if found.count > before:
                    ended = time.monotonic()
                _require_life(contestant, runner, ended)
                done = work.done(found.counts)
                if begin is None and done >= warm:
                    begin = time.monotonic(), runner.cpu(), done
            used, peak = runner.cpu(), runner.peak()
            _require_same(contestant, work, found)
        assert begin is not None, "the last act is behind the warm-up"
        acts = len(work.acts) - begin[2]
        return Run(acts / (used - begin[1]), acts / (ended - begin[0]), peak)

    async def latency(self, contestant: Contestant, rate: float, seconds: float) -> list[float]:
        """Return the ms from the time at which an act was to be written to the command that it let fire, sorted.

        The acts of the warm-up wait in the topic; those after them come at ``rate`` a second, for a third of
        ``seconds`` in which nothing counts yet, and then for ``seconds``.
        """
        _, warm, contacts = self._sizes[contestant.slow]
        first = warm + int(rate * seconds / 3)
        work = Workload(first + int(rate * seconds), contacts, self._start)
        async with self._running(contestant, work, warm, _LINGER_LATENCY, None) as (topic, runner, found):
            await self._take(contestant, runner, found, sum(it.act < warm for there in work.commands for it in there))
            trickling = asyncio.create_task(self._kafka.trickle(topic, work, warm, rate, bare=contestant.bare))
            await self._take(contestant, runner, found, work.wanted.total())
            due = await trickling
            _require_same(contestant, work, found)
        acts = {it[:3]: it.act for there in work.commands for it in there}
        arrived = [(acts[contestant.decided(it.value)], it.at) for there in found.arrived for it in there]
        return sorted(1000 * (at - due[act - warm]) for act, at in arrived if act >= first)

    @asynccontextmanager
    async def _running(
        self, contestant: Contestant, work: Workload, loaded: int, linger: int, shared: str | None
    ) -> AsyncIterator[tuple[str, Runner, Commands]]:
        """Start ``contestant`` on the topic ``shared``, or on one of its own with the acts before ``loaded``.

        Yields the topic, its process, and its commands as they come.
        """
        self._count += 1
        name = f"race{self._count:02}"
        topic = shared or f"{name}.events"
        await self._kafka.create(f"{name}.commands", *([] if shared else [topic]))
        if not contestant.bare:
            await ensure_topics(
                KafkaSettings(kafka_bootstrap=self._kafka.bootstrap, topic_prefix=f"{name}.", partitions=PARTITIONS)
            )
        if not shared:
            await self._kafka.load(topic, work, loaded, bare=contestant.bare)
        with tempfile.TemporaryDirectory(prefix="kikkake-bench-", ignore_cleanup_errors=True) as folder:
            async with commands(self._kafka, f"{name}.commands") as found:
                runner = Runner(contestant, Race(self._kafka.bootstrap, name, topic, Path(folder), linger))
                try:
                    yield topic, runner, found
                finally:
                    runner.end()
        await self._kafka.delete(name)

    async def _take(self, contestant: Contestant, runner: Runner, found: Commands, count: int) -> None:
        """Return once ``count`` commands have come."""
        last = time.monotonic()
        while found.count < count:
            before = found.count
            await found.look()
            if found.count > before:
                last = time.monotonic()
            _require_life(contestant, runner, last)


def _shared(*, slow: bool) -> str:
    return "shared-slow" if slow else "shared"


def _require_life(contestant: Contestant, runner: Runner, last: float) -> None:
    runner.require_running()
    if time.monotonic() > last + _STILL:
        raise SystemExit(f"{contestant.name}: no command for {_STILL:.0f} s\n{runner.tail()}")


def _require_same(contestant: Contestant, work: Workload, found: Commands) -> None:
    """Refuse a run that decided anything else than the job, or anything twice."""
    decided = Counter(contestant.decided(it.value) for there in found.arrived for it in there)
    if decided != work.wanted:
        missing, other = work.wanted - decided, decided - work.wanted
        raise SystemExit(
            f"{contestant.name} decided otherwise: {missing.total()} commands are missing, such as {list(missing)[:2]},"
            f" {other.total()} are others, such as {list(other)[:2]}"
        )
