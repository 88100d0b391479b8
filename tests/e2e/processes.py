"""Our services as a user runs them: processes of their own, ended by signals, watched through their health port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.process import free_port, spawn

ROOT = Path(__file__).parents[2]


def wait_until(
    condition: Callable[[], object], what: str, timeout: float = 30.0, detail: Callable[[], str] = str
) -> None:
    """Look at ``condition`` until it holds. Fails with ``what`` and ``detail()`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}\n{detail()}"
        time.sleep(0.02)


class Process:
    """One process of ours. ``args`` follow ``python -m``; its output goes to ``folder/name.log``."""

    def __init__(self, name: str, args: Sequence[str], env: Mapping[str, str], folder: Path, port: int) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        self._args = [sys.executable, "-m", *args]
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> Process:
        """Start and return at once."""
        self._process = spawn(self._args, self.log, cwd=ROOT, env=self._env)
        self.starts += 1
        return self

    def ready(self, timeout: float = 40.0) -> Process:
        """Wait until /readyz says so."""
        wait_until(self._answers, f"{self.name} is ready", timeout, self.tail)
        return self

    def kill(self) -> None:
        """SIGKILL: no chance to say goodbye."""
        self.send(signal.SIGKILL)
        self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for the process to end and return its exit code."""
        assert self._process is not None
        return self._process.wait(timeout)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def end(self) -> None:
        """Make sure that it is gone, however it is."""
        if self.running:
            self.send(signal.SIGCONT)
            self.kill()

    def tail(self) -> str:
        """The last lines that it said."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def metrics(self) -> str:
        """Return what it tells Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as response:
            return str(response.read().decode())

    def _answers(self) -> bool:
        assert self.running, f"{self.name} ended by itself:\n{self.tail()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def service(name: str, env: Mapping[str, str], folder: Path) -> Process:
    """Return one of our services on free ports, not started yet."""
    port = free_port()
    return Process(
        name, [f"services.{name}"], {**env, "KIKKAKE_PORT": str(port), "KIKKAKE_HEALTH_PORT": str(port)}, folder, port
    )


def smtp_process(folder: Path, *, delay: float = 0.0) -> tuple[Process, Path]:
    """Return an SMTP server process (not started) and the file that it appends each message to."""
    port, mails = free_port(), folder / "mails.jsonl"
    args = ["tests.servers.smtp", "--port", str(port), "--file", str(mails), "--delay", str(delay)]
    return Process("smtp", args, {}, folder, port), mails
