"""``python -m benchmarks.evaluator``: P4, the cart job by the evaluator and by its peers; one line a figure.

One real broker. The contestant has one core; the broker, the commands' reader and the load share the other. Each run is
a process and a state of its own: it works off acts that wait in the topic, and what it does of them first only warms
it up. Contestants take turns, and a figure is the median of the ratios of the rounds. Events per second and core are
events by the CPU seconds of the whole process, a JVM's and RocksDB's threads included; by the clock they are printed
beside it. A run whose commands are not exactly those of the job ends the benchmark. No round begins that would not end
within ``--minutes``, with what comes after it.

Ended by whatever, it ends its contestant and its broker too.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from pathlib import Path

from benchmarks.evaluator.contestants import COMMIT_MS, OTHER_CORE, Contestant, contestants
from benchmarks.evaluator.race import Bench, Run
from benchmarks.evaluator.workload import Size
from benchmarks.path import at
from shared.logs import configure_logging
from tests.servers.kafka import KafkaServer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluator", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="rounds in which each contestant runs once")
    parser.add_argument("--events", type=int, default=200_000, help="of a run, the warm-up included")
    parser.add_argument("--warm", type=int, default=120_000, help="of them that only warm up")
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--share", type=int, default=10, help="Faust gets one in so many of all three")
    parser.add_argument("--rate", type=float, default=1_000, help="events a second where latency is measured; 0: not")
    parser.add_argument("--seconds", type=float, default=10, help="for which latency is measured")
    parser.add_argument("--minutes", type=float, default=18, help="after which no further round is begun")
    parser.add_argument("--commit", type=int, default=COMMIT_MS, help="ms, of Kafka Streams with at_least_once")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the contestants, beside ours")
    options = parser.parse_args()
    if os.cpu_count() == 1:
        parser.error("two cores are needed: one for the contestant, one for the rest")
    known = contestants(options.commit)
    if not {"ours", *(options.only or known)} <= known.keys():
        parser.error(f"contestants are {', '.join(known)}")
    began = time.monotonic()
    taking = [make() for name, make in known.items() if name == "ours" or not options.only or name in options.only]
    signal.signal(signal.SIGTERM, _leave)
    configure_logging("error", "console")  # of a topic that is new its readers ask too early
    _pin(os.getpid())
    far = str(10 * 365 * 24 * 3_600_000)  # the acts' time runs ahead of the clock
    with KafkaServer(heap="1g", fast_start=False, settings={"log.message.timestamp.after.max.ms": far}) as broker:
        _pin(broker.pid or 0)
        whole = Size(options.events, options.warm, options.contacts)
        sizes = {False: whole, True: Size(*(count // options.share for count in whole))}
        asyncio.run(compare(Bench(broker.bootstrap, sizes), taking, options, began + 60 * options.minutes))


async def compare(bench: Bench, taking: list[Contestant], options: argparse.Namespace, end: float) -> None:
    """Let all run in turn and print the figures; no round begins that would last beyond ``end`` (monotonic)."""
    await bench.prepare()
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in taking}
    longest = 0.0
    for number in range(options.pairs):
        began = time.monotonic()
        # What comes behind the rounds takes about as long as one of them.
        if number and began + (2 if options.rate else 1) * longest > end:
            _say(f"{number} rounds of {options.pairs}: the next would not end within {options.minutes:g} minutes")
            break
        # The other way round each second time, so that nobody always runs first.
        for contestant in taking[:: -1 if number % 2 else 1]:
            run = await bench.race(contestant)
            runs[contestant.name].append(run)
            _say(f"{contestant.name}: {run.per_core:.0f}/core-s {run.rate:.0f}/s peak {run.peak:.0f} MiB")
        longest = max(longest, time.monotonic() - began)
    for peer in taking[1:]:
        print(_ratio(peer.name, runs["ours"], runs[peer.name]), flush=True)
    for contestant in taking:
        print(_figure(contestant.name, runs[contestant.name]), flush=True)
    for contestant in taking if options.rate else ():
        late = await bench.latency(contestant, options.rate, options.seconds)
        shown = " ".join(f"{word}={at(late, share):.0f}" for word, share in (("p50", 0.5), ("p99", 0.99)))
        print(
            f"P4 {contestant.name} event_to_command_ms {shown} max={late[-1]:.0f} commands={len(late)}"
            f" events_per_s={options.rate:.0f}",
            flush=True,
        )


def _ratio(peer: str, ours: list[Run], theirs: list[Run]) -> str:
    ratios = [mine.per_core / other.per_core for mine, other in zip(ours, theirs, strict=True)]
    clock = [mine.rate / other.rate for mine, other in zip(ours, theirs, strict=True)]
    return (
        f"P4 ours/{peer} {statistics.median(ratios):.2f} spread={min(ratios):.2f}-{max(ratios):.2f}"
        f" by_the_clock={statistics.median(clock):.2f}"
    )


def _figure(name: str, runs: list[Run]) -> str:
    per_core = [run.per_core for run in runs]
    median = statistics.median(per_core)
    return (
        f"P4 {name} events_per_core_s={median:.0f} spread={min(per_core):.0f}-{max(per_core):.0f}"
        f" cpu_us_per_event={1e6 / median:.1f} events_per_s={statistics.median(run.rate for run in runs):.0f}"
        f" peak_mib={max(run.peak for run in runs):.0f}"
    )


def _pin(pid: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {OTHER_CORE})


def _leave(number: int, _frame: object) -> None:
    """End as by SIGINT: what was started is ended in order."""
    raise SystemExit(128 + number)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
