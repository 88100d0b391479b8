"""``benchmarks.evaluator``, however it ends, leaves no contestant and no broker behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.e2e.processes import wait_until

COMMAND = "-m benchmarks.evaluator --only ours --pairs 1 --events 40000 --warm 1000 --contacts 1000 --rate 0"


def children(parent: int) -> dict[int, str]:
    """Return the command lines of a process's living children by their ids."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            said = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
        if int(ppid) == parent and state != "Z":
            found[int(folder.name)] = said
    return found


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ended_it_ends_contestant_and_broker(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, *COMMAND.split()], cwd=ROOT, start_new_session=True) as benchmark:
        wait_until(lambda: "services.evaluator" in str(children(benchmark.pid)), "a contestant runs", 120, str)
        started = children(benchmark.pid)
        assert "kafka.Kafka" in str(started)
        benchmark.send_signal(number)

    def left() -> list[int]:
        return [pid for pid in started if Path(f"/proc/{pid}/cmdline").exists()]

    wait_until(lambda: not left(), "nothing is left", 20, lambda: str(left()))
