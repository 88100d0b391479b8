"""``python -m benchmarks.ingest``: P1 to P3 of ingest, beside a plain handler and a bare producer; one line a figure.

One real broker; the server under test has one core, the broker and the load share the other. Runs alternate, and the
figure is the median of the ratios of the pairs. Events per second and core are events by the CPU seconds of the server
process, which other work on the machine disturbs less than the clock; the rates by the clock are printed beside them.

The lines of the floor say how near all of it is to what the platform costs: a server that answers and does nothing
(``nothing``), and aiokafka's own ``send`` without HTTP (``produce``). An ASGI handler that sends so cannot cost less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import uvloop

from shared.kafka.admin import ensure_topics
from shared.messages.topics import EVENTS
from shared.settings import KafkaSettings
from tests.e2e.processes import ROOT, Process, service
from tests.load import WRITE_KEY, Tally, batch_requests, closed_loop, open_loop, single_requests
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

PARTITIONS = 4
BATCH = 100
SERVER_CORE, OTHER_CORE = 0, 1
_WINDOWS = 11


class Run(NamedTuple):
    """One measurement of a server: events per second by the clock and per CPU second."""

    rate: float
    per_core: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--lines", type=int, default=32, help="connections at once")
    options = parser.parse_args()
    if os.cpu_count() == 1:
        parser.error("two cores are needed: one for the server, one for the load")
    _pin(os.getpid(), OTHER_CORE)
    with tempfile.TemporaryDirectory(prefix="kikkake-bench-") as folder, ExitStack() as stack:
        broker = stack.enter_context(KafkaServer(heap="1g", fast_start=False))
        _pin(broker.pid or 0, OTHER_CORE)
        bench = Bench(broker.bootstrap, Path(folder), stack, options)
        bench.compare("P1", "one event per POST", single_requests, 1)
        bench.compare("P2", f"batches of {BATCH}", lambda host: batch_requests(host, BATCH), BATCH)
        bench.latency()
    print("\n".join(bench.figures))


class Bench:
    """Both servers on one broker."""

    def __init__(self, bootstrap: str, folder: Path, stack: ExitStack, options: argparse.Namespace) -> None:
        self.figures: list[str] = []
        self._options = options
        asyncio.run(
            ensure_topics(KafkaSettings(kafka_bootstrap=bootstrap, topic_prefix="bench.", partitions=PARTITIONS))
        )
        asyncio.run(
            ensure_topics(KafkaSettings(kafka_bootstrap=bootstrap, topic_prefix="plain.", partitions=PARTITIONS))
        )
        self._ours = service(
            "ingest",
            {
                "KIKKAKE_KAFKA_BOOTSTRAP": bootstrap,
                "KIKKAKE_TOPIC_PREFIX": "bench.",
                "KIKKAKE_PARTITIONS": str(PARTITIONS),
                "KIKKAKE_WRITE_KEYS": WRITE_KEY,
                "KIKKAKE_KEY_RATE": "1000000",
                "KIKKAKE_LOG_LEVEL": "warning",
            },
            folder,
        )
        port = free_port()
        self._env = {"PLAIN_BOOTSTRAP": bootstrap, "PLAIN_TOPIC": f"plain.{EVENTS}", "PLAIN_PORT": str(port)}
        self._plain = Process("plain", ["benchmarks.ingest.plain"], self._env, folder, port)
        port = free_port()
        self._nothing = Process("nothing", ["benchmarks.ingest.nothing"], {"NOTHING_PORT": str(port)}, folder, port)
        for process in (self._ours, self._plain, self._nothing):
            stack.callback(process.end)
            process.start()
            _pin(process.pid, SERVER_CORE)
            process.ready()
        self._maximum = 0.0

    def compare(self, name: str, what: str, requests: Callable[[str], list[bytes]], size: int) -> None:
        """Let the servers take as much as they can, in turn."""
        pairs: list[tuple[Run, Run, Run]] = []
        for number in range(self._options.pairs + 1):
            both = (
                self._run(self._ours, requests, size),
                self._run(self._plain, requests, size),
                self._run(self._nothing, requests, size),
            )
            if number:  # the first warms up
                pairs.append(both)
                _say(f"{name} ours {both[0].per_core:.0f}/core-s plain {both[1].per_core:.0f}/core-s")
        ratios = [ours.per_core / plain.per_core for ours, plain, _ in pairs]
        ours, plain, nothing = (1e6 / statistics.median(pair[at].per_core for pair in pairs) for at in (0, 1, 2))
        clock = [statistics.median(pair[at].rate for pair in pairs) for at in (0, 1)]
        if size == 1:
            self._maximum = clock[0]
        sent, used = self._produce("most", size)
        bare = 1e6 * used / sent
        self.figures.append(
            f"{name} ours/plain {statistics.median(ratios):.2f} spread={min(ratios):.2f}-{max(ratios):.2f} ({what})"
            f" cpu_us_per_event ours={ours:.1f} plain={plain:.1f}"
            f" events_per_s ours={clock[0]:.0f} plain={clock[1]:.0f}"
        )
        self.figures.append(
            f"{name} floor/plain {plain / (nothing + bare):.2f} (a server that does nothing, and aiokafka's send)"
            f" cpu_us_per_event nothing={nothing:.1f} bare={bare:.1f}"
        )

    def _run(self, process: Process, requests: Callable[[str], list[bytes]], size: int) -> Run:
        host = f"127.0.0.1:{process.port}"
        before = _cpu_seconds(process.pid)
        tally: Tally = uvloop.run(
            closed_loop(host, requests(host), lines=self._options.lines, seconds=self._options.seconds)
        )
        used = _cpu_seconds(process.pid) - before
        if tally.refused:
            raise RuntimeError(f"{process.name} refused {tally.refused} requests:\n{process.tail()}")
        events = tally.accepted * size
        return Run(events / tally.seconds, events / used)

    def latency(self) -> None:
        """P3: at half of the most that ours took one by one, against a producer without HTTP at the same rate.

        Many short windows in turn, for one pause of the broker decides the p99 of its window.
        """
        rate, seconds = self._maximum / 2, self._options.seconds / 2
        found: list[tuple[list[float], ...]] = []
        for number in range(_WINDOWS + 1):
            window = (self._ask(self._ours, rate), self._produce("at", rate), self._ask(self._nothing, rate))
            if number:  # the first warms up
                found.append(tuple(sorted(latencies) for latencies in window))
        ratios = sorted(_at(ours, 0.99) / _at(bare, 0.99) for ours, bare, _ in found)
        shown = [
            " ".join(
                f"{name}={statistics.median(_at(window[side], share) for window in found):.1f}"
                for name, share in (("p50", 0.5), ("p99", 0.99))
            )
            for side in (0, 1, 2)
        ]
        low, _, high = statistics.quantiles(ratios, n=4)
        self.figures.append(
            f"P3 ours/bare {statistics.median(ratios):.2f} quartiles={low:.2f}-{high:.2f}"
            f" (p99 at {rate:.0f}/s, {_WINDOWS} windows of {seconds:g} s)"
            f" ms ours {shown[0]} bare {shown[1]} nothing {shown[2]}"
        )

    def _ask(self, process: Process, rate: float) -> list[float]:
        host, lines = f"127.0.0.1:{process.port}", 2 * self._options.lines
        requests = single_requests(host)
        return uvloop.run(open_loop(host, requests, rate=rate, lines=lines, seconds=self._options.seconds / 2))

    def _produce(self, what: str, number: float) -> list[float]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ingest.produce", what, str(number), str(self._options.seconds / 2)],
            cwd=ROOT,
            env={**os.environ, **self._env},
            check=True,
            capture_output=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
        found: list[float] = json.loads(done.stdout)
        return found


def _pin(pid: int, core: int) -> None:
    """Give every thread of the process one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _at(values: list[float], share: float) -> float:
    """Return the ms below which ``share`` of the sorted ``values`` lie."""
    return 1000 * values[min(len(values) - 1, int(len(values) * share))]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
