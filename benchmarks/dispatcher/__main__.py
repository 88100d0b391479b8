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

from benchmarks.dispatcher.world import World, a_message, look, world
from shared.messages.command import SendCommand

MAIL = {"subject": "{{ context.product }}", "text": "Hello {{ contact.first_name }}, your {{ context.product }} waits."}
HOOK = {"text": "{{ context.product }} of {{ contact.first_name }}"}
WEBHOOKS = """schema: providers/v1
channels:
  webhook: [{{kind: webhook, secrets: {{env: BENCH_SECRET}}, allow: 127.0.0.1, connections: 32}}]
"""
_WARM = 0.2
"""Of the messages; what they cost is connecting, compiling and filling caches."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000, help="of each run")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if os.cpu_count() == 1:
        parser.error("two cores are needed: one for the dispatcher, one for the rest")
    with world() as made:
        for line in asyncio.run(measure(made, options.messages, options.pairs)):
            print(line, flush=True)


async def measure(made: World, messages: int, pairs: int) -> list[str]:
    """Return the figures."""
    mails = [await run(made, mail_commands(messages)) for _ in range(pairs)]
    return [figure("P9", "smtp", mails)]


async def run(made: World, commands: list[SendCommand], providers: str = "") -> tuple[float, float]:
    """Let a new dispatcher deliver ``commands``; return messages per CPU second and per second, warm-up left out."""
    before = sum(made.sinks.taken())
    warm = before + int(len(commands) * _WARM)
    async with made.dispatching(commands, providers) as (dispatcher, _):
        while sum(made.sinks.taken()) < warm:
            await asyncio.sleep(0.005)
        begin, at_begin = look(dispatcher), sum(made.sinks.taken())
        while sum(made.sinks.taken()) < before + len(commands):
            await asyncio.sleep(0.005)
        end, count = look(dispatcher), sum(made.sinks.taken()) - at_begin
    return count / (end.cpu - begin.cpu), count / (end.clock - begin.clock)


def mail_commands(count: int) -> list[SendCommand]:
    """Return ``count`` mails."""
    return [a_message(number, "email", f"u{number}@example.jp", MAIL) for number in range(count)]


def figure(name: str, what: str, runs: list[tuple[float, float]]) -> str:
    """Return one line: medians and spread."""
    per_core, clock = zip(*runs, strict=True)
    median = statistics.median(per_core)
    return (
        f"{name} {what} messages_per_core_s={median:.0f} spread={min(per_core):.0f}-{max(per_core):.0f}"
        f" cpu_us={1e6 / median:.0f} messages_per_s={statistics.median(clock):.0f}"
    )


if __name__ == "__main__":
    main()
