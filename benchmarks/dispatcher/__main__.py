"""``python -m benchmarks.dispatcher``: what one core of dispatcher delivers, beside its peers; one line a figure.

Real Kafka and Redis; claims, ``deliveries`` and outcomes are on, as always. The dispatcher has one core; everything
else shares the other. Commands wait in the topic before it starts. Messages per CPU second of the dispatcher count,
which other work on the machine disturbs less than the clock; by the clock they are printed beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.dispatcher.sinks import LATE
from benchmarks.dispatcher.world import OTHERS, OURS, Speed, World, a_message, look, pin, world
from shared.messages.command import SendCommand
from tests.e2e.processes import ROOT

MAIL = {"subject": "{{ context.product }}", "text": "Hello {{ contact.first_name }}, your {{ context.product }} waits."}
HOOK = {"text": '{"product": "{{ context.product }}", "name": "{{ contact.first_name }}"}'}
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PROVIDERS = """schema: providers/v1
channels:
  email: [{{kind: smtp, host: 127.0.0.1, port: {smtp}, tls: none, from: shop@example.com}}]
  webhook: [{{kind: webhook, secrets: [{{env: BENCH_SECRET}}], allow: [127.0.0.1], connections: 32}}]
"""
WIDTH = 32
PEERS = {
    "httpx2 one at a time": ("httpx2", 1),
    f"httpx2 pool of {WIDTH}": ("httpx2", WIDTH),
    f"aiohttp pool of {WIDTH}": ("aiohttp", WIDTH),
}
"""P10's, each with its client and how many it posts at once."""
_WARM = 0.2
"""Of the messages; what they cost is connecting, compiling and filling caches."""
_HUNG = 0.25
"""Of the messages of P11 go to a provider that hangs."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=6_000, help="of each run")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=["mails", "webhooks", "isolation"], help="one of the measurements")
    options = parser.parse_args()
    if os.cpu_count() == 1:
        parser.error("two cores are needed: one for the dispatcher, one for the rest")
    with world() as made:
        bench = Bench(made, options.messages, options.pairs)
        for name in ("mails", "webhooks", "isolation") if options.only is None else (options.only,):
            measure = getattr(bench, name)
            for line in asyncio.run(measure()):
                print(line, flush=True)


class Bench:
    """The measurements; each alternates between ours and its peers."""

    def __init__(self, made: World, messages: int, pairs: int) -> None:
        self._made = made
        self._messages = messages
        self._pairs = pairs

    async def mails(self) -> list[str]:
        """P9: mails over SMTP."""
        runs = [await self._deliver(self._mails(self._messages)) for _ in range(self._pairs)]
        per_core = [run.per_core for run in runs]
        shown = f"messages_per_core_s={statistics.median(per_core):.0f} spread={_spread(per_core)}"
        clock = statistics.median(run.clock for run in runs)
        return [f"P9 smtp {shown} cpu_us={1e6 / statistics.median(per_core):.0f} messages_per_s={clock:.0f}"]

    async def webhooks(self) -> list[str]:
        """P10: signed webhooks to a receiver that answers at once, and to one that does not, beside plain clients."""
        lines = []
        for name, port in (("at once", self._made.sinks.http), (f"after {LATE * 1000:.0f} ms", self._made.sinks.late)):
            url = f"http://127.0.0.1:{port}/hook"
            ours = []
            peers: dict[str, list[Speed]] = {peer: [] for peer in PEERS}
            for _ in range(self._pairs):
                ours.append(await self._deliver(self._hooks(url, self._messages)))
                for peer, (client, width) in PEERS.items():
                    count = self._messages if width > 1 else self._messages // 10
                    peers[peer].append(await asyncio.to_thread(self._bare, url, count, width, client))
            for peer, theirs in peers.items():
                clock = [mine.clock / other.clock for mine, other in zip(ours, theirs, strict=True)]
                cpu = [mine.per_core / other.per_core for mine, other in zip(ours, theirs, strict=True)]
                lines.append(
                    f"P10 ours/{peer} {statistics.median(clock):.2f} spread={_spread(clock, 2)} by the clock,"
                    f" {statistics.median(cpu):.2f} spread={_spread(cpu, 2)} by CPU (answered {name})"
                    f" messages_per_s ours={statistics.median(run.clock for run in ours):.0f}"
                    f" theirs={statistics.median(run.clock for run in theirs):.0f}"
                )
        return lines

    async def isolation(self) -> list[str]:
        """P11: mails while a quarter as many webhooks go to a receiver that hangs, beside the mails alone."""
        hang = f"http://127.0.0.1:{self._made.sinks.hang}/hook"
        shares = []
        for _ in range(self._pairs):
            alone = await self._deliver(self._mails(self._messages))
            mixed = [*self._mails(self._messages), *self._hooks(hang, int(self._messages * _HUNG))]
            mixed.sort(
                key=lambda command: command.command_id
            )  # derived ids: as good as shuffled, and the same each time
            beside = await self._deliver(mixed, expected=self._messages)
            shares.append(beside.clock / alone.clock)
        return [
            f"P11 mails beside a hanging provider/alone {statistics.median(shares):.2f} spread={_spread(shares, 2)}"
        ]

    async def _deliver(self, commands: Sequence[SendCommand], expected: int | None = None) -> Speed:
        """Let a new dispatcher deliver ``commands`` until ``expected`` have arrived; the warm-up does not count."""
        taken = self._made.sinks.taken
        before = sum(taken())
        expected = len(commands) if expected is None else expected
        providers = PROVIDERS.format(smtp=self._made.sinks.smtp)
        async with self._made.dispatching(commands, providers, BENCH_SECRET=SECRET) as (dispatcher, _):
            while sum(taken()) < before + int(expected * _WARM):
                await asyncio.sleep(0.005)
            begin, at_begin = look(dispatcher), sum(taken())
            while sum(taken()) < before + expected:
                await asyncio.sleep(0.005)
            end, count = look(dispatcher), sum(taken()) - at_begin
        return Speed(count / (end.cpu - begin.cpu), count / (end.clock - begin.clock))

    def _bare(self, url: str, count: int, width: int, client: str) -> Speed:
        pin(os.getpid(), OURS)  # which the child inherits
        try:
            args = [sys.executable, "-m", "benchmarks.dispatcher.bare", url, str(count), str(width), client]
            said = subprocess.run(args, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        finally:
            pin(os.getpid(), OTHERS)
        cpu, clock = map(float, said.split())
        return Speed(count / cpu, count / clock)

    def _mails(self, count: int) -> list[SendCommand]:
        return [a_message(number, "email", f"u{number}@example.jp", MAIL) for number in range(count)]

    def _hooks(self, url: str, count: int) -> list[SendCommand]:
        return [a_message(number, "webhook", url, HOOK) for number in range(count)]


def _spread(values: Sequence[float], digits: int = 0) -> str:
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}"


if __name__ == "__main__":
    main()
