"""What ``kikkake dev`` decided under kill -9 is decided again from its recorded log, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from shared.clock import system_clock
from tests.e2e.processes import Process, smtp_process, wait_until
from tests.e2e.scenario import WRITE_KEY, Client, pending_work
from tests.integration.replay_worlds import (
    agreement_of,
    assert_agreed,
    first_calls,
    later_call,
    record,
    write_journeys,
)
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

QUIET_SECONDS = 10


class Host:
    """``kikkake dev`` in a folder of its own, and contacts who do things over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = Random(1)
        self.journeys = write_journeys(folder, system_clock(), QUIET_SECONDS)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["cli", "dev", "--port", str(port), "--data", str(self.data), "--durability", "process"]
        # Slow, so that some messages are called back on their way, and some are in its hands at a kill.
        self.smtp, _ = smtp_process(folder, delay=0.3)
        arguments += ["--journeys", str(self.journeys), "--smtp", f"smtp://127.0.0.1:{self.smtp.port}"]
        arguments += ["--write-key", WRITE_KEY]
        self.process = Process("dev", arguments, {}, folder, port)
        self.client = Client(self.url)
        self.contacts = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def happen(self, count: int) -> None:
        """Let ``count`` more contacts come and as many others go on, one after another."""
        for _ in range(count):
            now = system_clock()
            calls = list(first_calls(f"c{self.contacts}", self.random, now))
            calls.append(later_call(f"c{self.random.randrange(self.contacts + 1)}", self.random, now))
            self.contacts += 1
            for call in calls:
                self.client.post(call["type"], **{name: value for name, value in call.items() if name != "type"})

    def restart(self) -> None:
        self.process.kill()
        self.process.start()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    host.smtp.start()
    try:
        yield host
    finally:
        host.process.end()
        host.smtp.end()


def play(host: Host, *, kills: int, contacts: int) -> None:
    """Kill it again and again while contacts do things, and let the last one finish."""
    host.process.start().ready()
    for _ in range(kills):
        host.happen(host.random.randint(contacts // 2, contacts))
        host.restart()
    host.process.ready()
    wait_until(lambda: pending_work(f"{host.url}/metrics") == 0, "nothing is pending", 90, host.process.tail)


def test_what_was_decided_under_kills_is_decided_again_from_the_log(host: Host) -> None:
    """Recorded while it runs, right after a kill, and at rest."""
    host.process.start().ready()
    host.happen(20)
    running = agreement_of(record(host.folder, "--data", str(host.data)), host.journeys)
    assert ([], []) == (running.differences, running.beginnings_missing)
    assert running.decisions > 0
    host.process.kill()
    killed = agreement_of(record(host.folder, "--data", str(host.data)), host.journeys)
    assert ([], []) == (killed.differences, killed.beginnings_missing)
    assert killed.decisions >= running.decisions
    play(host, kills=4, contacts=40)
    at_rest = record(host.folder, "--data", str(host.data))
    agreement = assert_agreed(at_rest, host.journeys, seen=1)
    assert min(agreement.commands, agreement.cancels, agreement.emitted) > 0
    assert 0 == agreement.repeated, "an epoch is one transaction"


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_more_contacts_more_kills(host: Host, seed: int) -> None:
    host.random.seed(seed)
    play(host, kills=20, contacts=60)
    assert_agreed(record(host.folder, "--data", str(host.data)), host.journeys, seen=1)
