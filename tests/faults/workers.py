"""Evaluators as processes of their own, started again whenever they end, as a supervisor does."""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.clock import system_clock
from tests.e2e.processes import Process
from tests.servers.process import free_port

_LOOK = 0.05


class Worker:
    """One evaluator with a name of its own. It is wanted from ``start`` to ``leave`` or ``dismiss``.

    ``ends`` has the time and exit code of each end; killed by us is -9.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        instance: str,
        *,
        static: bool = True,
        program: Sequence[str] = ("services.evaluator",),
    ) -> None:
        self.port = free_port()
        named = {"KIKKAKE_EVALUATOR_INSTANCE": instance} if static else {}
        data = {"KIKKAKE_DATA": str(folder / instance), "KIKKAKE_HEALTH_PORT": str(self.port)}
        self._env = {**env, **named, **data}
        self._folder = folder
        self._instance = instance
        self._process: Process | None = None
        self._program = self._arguments = list(program)
        self._watching: asyncio.Task[None] | None = None
        self.ends: list[tuple[int, int]] = []
        self.paused = False
        self.owned: frozenset[int] = frozenset()
        """Its partitions, as it said last."""

    def start(self) -> None:
        """Start it, and start it again whenever it ends."""
        self._spawn()
        self._watching = asyncio.create_task(self._watch())

    def die_at(self, place: str, nth: int) -> None:
        """End it now, and let its next life end by itself when it comes to ``place`` for the ``nth`` time."""
        self._arguments = ["tests.integration.evaluator_worker", json.dumps({"place": place, "nth": nth})]
        self.kill()

    def kill(self) -> int:
        """Kill -9; returns the time."""
        now = system_clock()
        self.process.send(signal.SIGKILL)
        return now

    def pause(self) -> int:
        """SIGSTOP; returns the time."""
        self.paused = True
        self.process.send(signal.SIGSTOP)
        return system_clock()

    def wake(self) -> None:
        """SIGCONT."""
        self.process.send(signal.SIGCONT)
        self.paused = False

    async def leave(self) -> int:
        """SIGTERM: drain, commit and leave the group; returns the exit code."""
        await self._stop_watching()
        self.process.send(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 60)

    async def dismiss(self) -> None:
        """Make sure that it is gone for good."""
        await self._stop_watching()
        if self._process is not None:
            self._process.end()

    async def ready(self, timeout: float = 300) -> None:
        """Wait until it says that it is."""
        async with asyncio.timeout(timeout):
            while not await asyncio.to_thread(self._get, "readyz"):
                await asyncio.sleep(_LOOK)

    async def pending(self) -> dict[int, float]:
        """Return timers pending plus commands without outcome, by partition that it owns; {}: it does not answer."""
        names = ("kikkake_timers_pending{", "kikkake_commands_pending{")
        found: dict[int, float] = {}
        for line in (await asyncio.to_thread(self._get, "metrics")).splitlines():
            if line.startswith(names):
                labels, _, value = line.rpartition(" ")
                partition = int(labels.partition('partition="')[2].partition('"')[0])
                found[partition] = found.get(partition, 0) + float(value)
        self.owned = frozenset(found) or self.owned
        return found

    @property
    def process(self) -> Process:
        """Its present life."""
        assert self._process is not None
        return self._process

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    def tail(self) -> str:
        """Return the last lines that it said."""
        return self.process.tail()

    def _spawn(self) -> None:
        self._process = Process(f"evaluator-{self._instance}", self._arguments, self._env, self._folder, self.port)
        self._process.start()
        self._arguments = self._program

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            if not self.process.running:
                self.ends.append((system_clock(), self.process.wait()))
                self._spawn()

    async def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    def _get(self, page: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{page}", timeout=2) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return ""
