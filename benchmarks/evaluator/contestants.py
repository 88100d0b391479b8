"""Who takes part, how each is started, and how its commands read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.evaluator.builds import HERE, quix_python, streams_classpath
from benchmarks.evaluator.workload import PARTITIONS
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.topics import COMMANDS
from tests.e2e.processes import ROOT
from tests.servers.process import free_port, spawn

CORE, OTHER_CORE = 0, 1
"""That of the contestant, and that of the broker and of whoever writes to it."""
COMMIT_MS = 1_000
"""Of every at-least-once peer: after a crash about as much is done twice as by our epochs, and a run has several."""
_EOS_COMMIT_MS = 100
"""Kafka Streams' own for exactly_once_v2."""
JOURNEY = """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added}
entry: {on_retrigger: update_context}
context: {cart: event.properties.cart_id, product: event.properties.name}
exit: [{reason: converted, event: Order Completed}]
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 45m, reset_by: [Product Added, Product Viewed]}}
  - {id: remind, send: {channels: [email], template: {email: {subject: "{{ context.product }}", text: "Hello"}}}}
"""
"""Transactional, or it would hold its messages back until it has caught up, which no peer does."""

Decided = tuple[str, str, int]
"""Contact, cart, and when the timer was due."""


class Race(NamedTuple):
    """One run: the broker, a name of its own, the topic to read, a folder, and the ms that a producer may wait."""

    bootstrap: str
    name: str
    events: str
    folder: Path
    linger: int


class Contestant(NamedTuple):
    """One who does the cart job. ``slow``: it gets fewer events. ``bare``: it reads JSON without our two bytes.

    ``commands`` is the topic to which its decisions go, ``decided`` reads one of them.
    """

    name: str
    command: Callable[[Race], Sequence[str]]
    env: Callable[[Race], Mapping[str, str]] = lambda _race: {}
    commands: Callable[[Race], str] = lambda race: f"{race.name}.commands"
    decided: Callable[[bytes], Decided] = lambda value: _said(json.loads(value))
    slow: bool = False
    bare: bool = True


class Runner:
    """The process of a contestant, on its core from its first instruction on. However we end, it ends with us."""

    def __init__(self, contestant: Contestant, race: Race) -> None:
        self._log = race.folder / "log"
        command = ["taskset", "--cpu-list", str(CORE), *contestant.command(race)]
        self._process = spawn(command, self._log, cwd=ROOT, env={**os.environ, **contestant.env(race)})

    def cpu(self) -> float:
        """Return the CPU seconds used so far, by all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self) -> float:
        """Return the most MiB that were resident."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def require_running(self) -> None:
        """Raise with what it said last if it has ended."""
        if self._process.poll() is not None:
            raise SystemExit(f"it ended by itself:\n{self.tail()}")

    def tail(self) -> str:
        """Return what it said last."""
        return self._log.read_text(errors="replace")[-4000:]

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


def ours() -> Contestant:
    """The evaluator, as it is run in production, with one journey."""

    def env(race: Race) -> dict[str, str]:
        journeys = race.folder / "journeys"
        journeys.mkdir()
        (journeys / "cart.yaml").write_text(JOURNEY, encoding="utf-8")
        return {
            "KIKKAKE_KAFKA_BOOTSTRAP": race.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": f"{race.name}.",
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(journeys),
            "KIKKAKE_DATA": str(race.folder / "data"),
            "KIKKAKE_EVALUATOR_GROUP": race.name,
            "KIKKAKE_HEALTH_PORT": str(free_port()),
            "KIKKAKE_LOG_LEVEL": "warning",
        }

    return Contestant(
        "ours",
        lambda _race: [sys.executable, "-m", "services.evaluator"],
        env,
        lambda race: f"{race.name}.{COMMANDS}",
        _decided_by_us,
        bare=False,
    )


def faust() -> Contestant:
    """A plain Faust agent with a Table."""

    def command(race: Race) -> list[str]:
        agent = [sys.executable, "-m", "benchmarks.evaluator.faust_agent", race.bootstrap, race.name, race.events]
        options = [f"{race.name}.commands", str(race.folder / "data"), "worker", "-l", "error"]
        return [*agent, *options, "--web-port", str(free_port())]

    return Contestant("faust", command, slow=True)


def quix() -> Contestant:
    """Quix Streams."""
    python = str(quix_python())

    def command(race: Race) -> list[str]:
        names = [race.bootstrap, race.name, race.events, f"{race.name}.commands", str(race.folder / "data")]
        return [python, str(HERE / "quix_app.py"), *names, str(COMMIT_MS / 1000)]

    return Contestant("quix", command)


def streams(name: str, guarantee: str, commit_ms: int) -> Contestant:
    """Kafka Streams."""
    path = streams_classpath()

    def command(race: Race) -> list[str]:
        java = ["java", "-Xms512m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path]
        names = [race.bootstrap, race.name, race.events, f"{race.name}.commands", str(race.folder / "data")]
        return [*java, "kikkake.CartJob", *names, guarantee, str(commit_ms), str(race.linger)]

    return Contestant(name, command)


def contestants(commit_ms: int = COMMIT_MS) -> dict[str, Callable[[], Contestant]]:
    """Return all by name, ours first; to make one builds what it needs.

    ``commit_ms``: that of Kafka Streams with at_least_once.
    """
    return {
        "ours": ours,
        "kafka-streams": lambda: streams("kafka-streams", "at_least_once", commit_ms),
        "kafka-streams-eos": lambda: streams("kafka-streams-eos", "exactly_once_v2", _EOS_COMMIT_MS),
        "quix": quix,
        "faust": faust,
    }


def _decided_by_us(value: bytes) -> Decided:
    command = codec.COMMANDS.decode(value)
    assert isinstance(command, SendCommand)
    return command.contact, command.data["context"]["cart"], command.decided_at


def _said(command: dict[str, str | int]) -> Decided:
    return str(command["contact"]), str(command["cart"]), int(command["due"])
