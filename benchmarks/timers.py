"""``python -m benchmarks.timers``: the index of due timers with ``--timers`` pending. One line a figure.

Spread over 30 days, and all within one second. CPU time of one core; bytes are those of this process's own memory, on
top of the contacts' keys. "Worst" is the longest single step, which is how long an event may wait for the index.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable, Sequence

from benchmarks.population import START, contact_of
from benchmarks.restore import resident
from services.evaluator.core.state import NEVER
from services.evaluator.timers import DueIndex
from shared.clock import DAY, HOUR, SECOND

RESETS = 5
"""One timer in so many is moved by an hour, as an event resets a wait."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timers", description=__doc__)
    parser.add_argument("--timers", type=int, default=1_000_000)
    count = parser.parse_args().timers
    contacts = [contact_of(number) for number in range(count)]
    chosen = random.Random(1)
    for name, width in (("spread", 30 * DAY), ("herd", SECOND)):
        measure(name, contacts, [START + chosen.randrange(width) for _ in range(count)])


def measure(name: str, contacts: Sequence[str], due: list[int]) -> None:
    """Build an index, reset some timers and fire all."""
    gc.collect()
    before = resident()
    index = DueIndex()
    started = time.process_time()
    for contact, at in zip(contacts, due, strict=True):
        index.set(contact, at, NEVER)
    print(f"P5 {name}_build_ns {(time.process_time() - started) / len(due) * 1e9:.0f}")
    print(f"P5 {name}_bytes_per_timer {(resident() - before) / len(due):.1f}", flush=True)
    now = dict(zip(contacts, due, strict=True))

    def reset(number: int) -> None:
        contact = contacts[number * RESETS]
        index.set(contact, now[contact] + HOUR, now[contact])
        now[contact] += HOUR

    def fire(_: int) -> None:
        contact = index.first(NEVER)
        if contact is not None:
            index.set(contact, NEVER, now[contact])

    for verb, step, count in (("reset", reset, len(due) // RESETS), ("fire", fire, len(due))):
        total, worst = timed(step, count)
        print(f"P5 {name}_{verb}_ns {total / count * 1e9:.0f} worst_ms={worst * 1e3:.1f}", flush=True)


def timed(step: Callable[[int], None], count: int) -> tuple[float, float]:
    """Return the CPU seconds of all steps together, and of the longest."""
    worst = 0.0
    begun = last = time.process_time()
    for number in range(count):
        step(number)
        now = time.process_time()
        worst, last = max(worst, now - last), now
    return last - begun, worst


if __name__ == "__main__":
    main()
