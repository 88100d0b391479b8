"""``python -m tests.faults [--long] [--seed N] [--row R1,...] [--baseline]``: a line a row; exit 1 if one failed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from random import Random, SystemRandom

from shared.logs import configure_logging
from tests.faults.baseline import baseline
from tests.faults.result import Result
from tests.faults.rows.brokers import r2
from tests.faults.rows.crashes import r1, r3, r4
from tests.faults.rows.data import r6, r7, r9
from tests.faults.rows.dispatch import r5
from tests.faults.rows.load import r14
from tests.faults.rows.providers import r11
from tests.faults.rows.state import r15
from tests.faults.rows.times import r8, r13
from tests.faults.setting import Setting
from tests.faults.world import judges
from tests.servers.kafka import KafkaServer

Row = Callable[[Setting], Awaitable[Result]]

WAVES: tuple[Mapping[str, Row], ...] = (
    {"R1": r1},
    {"R2": r2, "R3": r3, "R4": r4, "R5": r5, "R8": r8, "R11": r11, "R14": r14, "R15": r15},
    {"R6": r6, "R7": r7, "R9": r9, "R13": r13},
)
"""Rows of one wave run side by side: first the one that measures how fast work goes on, then those that mostly wait for
clocks, sessions and brokers, then those that mostly work."""
ROWS: Mapping[str, Row] = {name: row for wave in WAVES for name, row in wave.items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the rows that were asked for on one broker."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the full sizes: hours instead of minutes")
    parser.add_argument("--seed", type=int, default=None, help="repeat what this seed drew (default: a new one)")
    parser.add_argument("--row", default=",".join(sorted(ROWS, key=_number)), help="rows to run, separated by commas")
    parser.add_argument("--baseline", action="store_true", help="R1 against a plain Faust agent instead of the rows")
    options = parser.parse_args(arguments)
    names = options.row.split(",")
    if unknown := set(names) - ROWS.keys():
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    # Ended by either signal, also where the shell has us ignore Ctrl-C, it stops what it started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # Only what goes wrong in the harness itself; the services' logs go to files.
    configure_logging("error", "console")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}; repeat with --seed {seed}", flush=True)
    begun = time.monotonic()
    with KafkaServer() as kafka:
        if options.baseline:
            print(asyncio.run(baseline(Setting(kafka, Random(f"{seed} R1"), options.long))))
            return 0
        # A lot of its own, so that a row draws the same alone as among others.
        settings = {name: Setting(kafka, Random(f"{seed} {name}"), options.long) for name in names}
        passed = asyncio.run(_run(settings))
    judges().shutdown()
    print(_expense(time.monotonic() - begun), flush=True)
    return 0 if passed else 1


async def _run(settings: Mapping[str, Setting]) -> bool:
    """Run the rows, print each as it ends, and return whether all passed."""
    passed = []
    for wave in WAVES:
        passed += await asyncio.gather(
            *[_row(name, row, settings[name]) for name, row in wave.items() if name in settings]
        )
    return all(passed)


async def _row(name: str, row: Row, setting: Setting) -> bool:
    begun = time.monotonic()
    try:
        result = await row(setting)
    except (AssertionError, TimeoutError, ExceptionGroup) as error:
        print(f"{name} FAILED: {error!r}", flush=True)
        return False
    print("\n".join(result.lines()), f"({time.monotonic() - begun:.0f} s, load {os.getloadavg()[0]:.1f})", flush=True)
    return result.passed


def _expense(seconds: float) -> str:
    """Return what it took: time, the CPU time of the harness and of every process that it started, and the load now."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(each.ru_utime + each.ru_stime for each in spent)
    return f"took_s={seconds:.0f} cpu_s={cpu:.0f} load={os.getloadavg()[0]:.1f}"


def _number(name: str) -> int:
    return int(name[1:])


if __name__ == "__main__":
    sys.exit(main())
