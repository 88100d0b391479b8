"""What the servers in processes of their own share: ports, start, readiness, stop, kill, dying with us."""

from __future__ import annotations

import abc
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
# The kernel sends the parent-death signal when the *thread* that forked ends, so all servers are started
# from this one thread, which lives as long as the interpreter, and never from a caller's short-lived one.
_LAUNCHER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-launcher")
# Below the kernel's default range for outgoing connections (32768 and up): a client that reconnects to a
# killed server's port in that range can be given the very same port, and then connects to itself.
_PORTS = range(12000, 32000)


class ServerError(RuntimeError):
    """A server did not start, or ended by itself; the message says why and ends with the tail of its log."""


def port_in_use(port: int) -> bool:
    """Whether something already listens on (or has bound) this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do it: a port that only has closed connections lingering on it counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def free_port() -> int:
    """A loopback port that was free a moment ago, outside the range of outgoing connections."""
    # Not the seeded global generator: parallel test runs with one seed would all pick the same ports.
    chooser = random.SystemRandom()
    for _ in range(1000):
        port = chooser.choice(_PORTS)
        if not port_in_use(port):
            return port
    raise ServerError(f"no free loopback port found between {_PORTS.start} and {_PORTS.stop - 1}")


def spawn(
    command: Sequence[str], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start ``command``, whose output is appended to ``log``; however we end, killed too, it ends with us."""
    return _LAUNCHER.submit(_spawn, command, log, cwd, env).result()


def _spawn(
    command: Sequence[str], log: Path, cwd: Path | None, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before the line above took effect
                os._exit(1)

    with log.open("ab") as out:
        # Its own session, so that Ctrl-C in a terminal reaches only us and we stop the servers in order.
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Safe beside other threads: it only makes system calls, through a libc loaded long before.
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )


class Started(abc.ABC):
    """Started at the begin of a ``with`` block, and closed at its end, or when it does not start."""

    @abc.abstractmethod
    def start(self) -> None:
        """Return once it answers."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop everything and delete its data."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ProcessServer(Started):
    """A server in a process of its own, on a fixed port and data folder for the life of this object.

    `start`, `stop`, `kill` and `restart` may follow each other in any sensible order; port and data stay the
    same, so what the server had made durable is there again. As a context manager it starts on entry and is
    closed on exit; closing deletes the data folder only if this object made it.
    """

    name: str
    start_timeout = 60.0
    stop_timeout = 20.0

    def __init__(self, *, port: int | None = None, data: Path | None = None) -> None:
        self._port_is_fixed = port is not None
        self._started_once = False
        self.port = free_port() if port is None else port
        self._owns_data = data is None
        self.data = Path(tempfile.mkdtemp(prefix=f"kikkake-{self.name.lower()}-")) if data is None else data.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def log(self) -> Path:
        """The file that the server's own output is appended to."""
        return self.data / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs, else None."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the server's process is there now."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start and return once the server answers; ServerError with its log's tail if it does not."""
        if self.running:
            raise ServerError(f"{self.name} is already running on {HOST}:{self.port}")
        for attempt in range(3):
            try:
                self._start_and_wait()
            except ServerError as error:
                # Between choosing a port and binding it another process can take it; a port that clients
                # were already given must not change, so only the very first start may choose again.
                lost_race = "address already in use" in str(error).lower()
                if not lost_race or self._port_is_fixed or self._started_once or attempt == 2:
                    raise
                self._choose_ports()
            else:
                self._started_once = True
                return

    def stop(self) -> None:
        """Stop cleanly (SIGTERM, SIGKILL after `stop_timeout`) and keep the data; nothing if not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL) and return once it is gone; nothing if not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """`stop` unless it is already stopped or killed, then `start` on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """`stop`, then delete the data folder if this object made it."""
        self.stop()
        if self._owns_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def log_tail(self, lines: int = 40) -> str:
        """The last lines that the server wrote since its latest start."""
        return "\n".join(self._log_text().splitlines()[-lines:])

    @abc.abstractmethod
    def _command(self) -> Sequence[str]:
        """Prepare the data folder and return the command line that runs the server in the foreground."""

    @abc.abstractmethod
    def _ready(self) -> bool:
        """Whether the server answers now; called over and over while it starts; OSError means not yet."""

    def _choose_ports(self) -> None:
        self.port = free_port()

    def _log_text(self) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(self._log_start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _start_and_wait(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        # Checked here because not every server says it in its log, and because a stranger on the port
        # would otherwise answer the readiness check in the server's place.
        if port_in_use(self.port):
            raise ServerError(f"{self.name}: address already in use: {HOST}:{self.port}")
        self._process = spawn(list(self._command()), self.log)
        deadline = time.monotonic() + self.start_timeout
        while not self._answers():
            if not self.running:
                self._fail(f"{self.name} ended with exit code {self._process.returncode} while starting")
            if time.monotonic() > deadline:
                self._fail(f"{self.name} did not answer on {HOST}:{self.port} in {self.start_timeout:.0f} s")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return self._ready()
        except OSError:
            return False

    def _fail(self, reason: str) -> None:
        self.kill()
        raise ServerError(f"{reason}; the end of its log ({self.log}):\n{self.log_tail()}")
