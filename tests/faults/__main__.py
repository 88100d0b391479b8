"""``python -m tests.faults [--long] [--seed N] [--row R1,...] [--baseline]``: a line a row; exit 1 if one failed."""

from __future__ import annotations

import argparse
import asyncio
import logging
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
from tests.faults.rows.load import r14
from tests.faults.rows.state import r15
from tests.faults.rows.times import r8, r13
from tests.faults.setting import Setting
from tests.servers.kafka import KafkaServer

ROWS: Mapping[str, Callable[[Setting], Awaitable[Result]]] = {
    "R1": r1,
    "R2": r2,
    "R3": r3,
    "R4": r4,
    "R6": r6,
    "R7": r7,
    "R8": r8,
    "R9": r9,
    "R13": r13,
    "R14": r14,
    "R15": r15,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the rows that were asked for, each on a broker of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the full sizes: hours instead of minutes")
    parser.add_argument("--seed", type=int, default=None, help="repeat what this seed drew (default: a new one)")
    parser.add_argument("--row", default=",".join(ROWS), help="rows to run, separated by commas")
    parser.add_argument("--baseline", action="store_true", help="R1 against a plain Faust agent instead of the rows")
    options = parser.parse_args(arguments)
    names = options.row.split(",")
    if unknown := set(names) - ROWS.keys():
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    # Only what goes wrong in the harness itself; the services' logs go to files.
    configure_logging("error", "console")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}; repeat with --seed {seed}", flush=True)
    passed = True
    with KafkaServer() as kafka:
        if options.baseline:
            print(asyncio.run(baseline(Setting(kafka, Random(f"{seed} R1"), options.long))))
            return 0
        for name in names:
            begun = time.monotonic()
            # Of its own, so that a row draws the same alone as among others.
            result = asyncio.run(_run(name, Setting(kafka, Random(f"{seed} {name}"), options.long)))
            print("\n".join(result.lines()), f"({time.monotonic() - begun:.0f} s)", flush=True)
            passed = passed and result.passed
    return 0 if passed else 1


async def _run(name: str, setting: Setting) -> Result:
    return await ROWS[name](setting)


if __name__ == "__main__":
    sys.exit(main())
