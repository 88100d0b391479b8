"""R11: two providers slow, hanging, refusing, cutting off and silent after they accepted, while mails go on beside."""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from shared.clock import SECOND, system_clock
from shared.kafka.admin import ensure_topics
from shared.messages.command import SendCommand
from shared.messages.outcome import Outcome
from tests.faults.judge import Findings
from tests.faults.result import Result
from tests.faults.setting import Setting
from tests.integration.test_dispatcher_kafka import World, command_now
from tests.providers import CASES
from tests.servers.process import free_port
from tests.servers.provider import ProviderServer, Reply, Trouble
from tests.servers.redis import RedisServer
from tests.servers.smtp import ReceivedMessage, SmtpServer

_PER_SECOND = 15
"""Of each channel."""
_TROUBLED = 6.0
_CALM = 3.0
_IN_TIME = 3 * SECOND
"""The harness's other rows are at work on the same cores; test_isolation asks for one second."""
_LOOK = 0.25
_PATIENCE = 180.0
_USER = "U4af4980629aa39f5b0d1a5e3a1a2b3c4"
TROUBLES: Mapping[str, Trouble | Reply] = {
    "slow": "late",
    "hang": "hang",
    "429": Reply(429, headers={"Retry-After": "1"}),
    "500": Reply(500),
    "reset": "reset",
    "accepted_then_silent": "accept_then_hang",
    "accepted_then_reset": "accept_then_reset",
}
"""What both providers do for some seconds, one after the other. A slow one answers each half a second late."""
LEAVES_ALONE = frozenset(TROUBLES) - {"slow"}
"""Those by which a breaker opens: one that is slow and answers is well."""


class Window(NamedTuple):
    """Some seconds of mails: what was decided when; ``trouble`` of the other channels meanwhile, empty: none."""

    trouble: str
    mails: dict[str, int]


class Bench:
    """The world of R11: LINE, which knows a key, Slack, which knows none, and SMTP, which is well."""

    def __init__(self, setting: Setting, world: World, providers: Sequence[ProviderServer], port: int) -> None:
        self.commands: dict[str, list[SendCommand]] = {"email": [], "line": [], "slack": []}
        self.windows: list[Window] = []
        self.opened: list[float] = []
        """Seconds from a trouble's begin until a provider was left alone."""
        self._world = world
        self._providers = providers
        self._port = port
        self._number = 0
        self._hook = f"{providers[1].url}/services/T0/B0/x"
        self._rounds = setting.pick(1, 10)

    async def run(self) -> None:
        """Let everything happen, each trouble after some calm seconds."""
        await self._send("", 1 / _PER_SECOND)
        # The first ones wait until the dispatcher has started; it connects, compiles and fills caches with them.
        await self._world.wait_for_outcomes(self._number, _PATIENCE)
        await self._send("", _CALM)
        self.windows.clear()
        for _ in range(self._rounds):
            for name, trouble in TROUBLES.items():
                await self._send("", _CALM)
                for provider in self._providers:
                    provider.always(trouble)
                watching = asyncio.create_task(self._watch())
                await self._send(name, _TROUBLED)
                await _end(watching)
                for provider in self._providers:
                    provider.always(None)
                if name in LEAVES_ALONE:
                    self.opened.append(watching.result() if not watching.cancelled() else _TROUBLED)

    async def _send(self, trouble: str, seconds: float) -> None:
        mails: dict[str, int] = {}
        begun = time.monotonic()
        for count in range(round(seconds * _PER_SECOND)):
            made = [self._mail(), self._line(), self._slack()]
            mails[made[0].command_id] = made[0].decided_at
            await self._world.command(*made)
            await asyncio.sleep(max(0.0, begun + (count + 1) / _PER_SECOND - time.monotonic()))
        self.windows.append(Window(trouble, mails))

    async def _watch(self) -> float:
        """Return after how many seconds a provider is left alone."""
        begun = time.monotonic()
        while not await asyncio.to_thread(_left_alone, self._port):
            await asyncio.sleep(_LOOK)
        return time.monotonic() - begun

    def _mail(self) -> SendCommand:
        return self._note("email")

    def _line(self) -> SendCommand:
        return self._note("line", channels=("line",), addresses={"line": _USER}, content={"line": {"text": "Hi"}})

    def _slack(self) -> SendCommand:
        number = self._number + 1
        parts = {"text": f"number {number}."}
        return self._note("slack", channels=("slack",), addresses={"slack": self._hook}, content={"slack": parts})

    def _note(self, channel: str, **changes: object) -> SendCommand:
        self._number += 1
        made = command_now(self._number, **changes)
        self.commands[channel].append(made)
        return made


async def r11(setting: Setting) -> Result:
    """Send by three channels while two of them are in each trouble for some seconds; compare with what was accepted."""
    arrived: dict[str, int] = {}

    def note(mail: ReceivedMessage) -> None:
        arrived[_id(mail)] = system_clock()

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisServer())
        smtp = stack.enter_context(SmtpServer(accepted=note))
        line = await stack.enter_async_context(ProviderServer(CASES["line"].face))
        slack = await stack.enter_async_context(ProviderServer(CASES["slack"].face))
        world = World(setting.kafka, redis, smtp)
        stack.push_async_callback(world.publisher.stop)
        await ensure_topics(world.settings)
        marks = asyncio.create_task(world.mark())
        stack.push_async_callback(_end, marks)
        port = free_port()
        bench = Bench(setting, world, (line, slack), port)
        with world.dispatcher(folder, providers=_providers(folder, line, slack), health_port=port, smtp_connections=32):
            await bench.run()
            count = sum(map(len, bench.commands.values()))
            outcomes = await world.wait_for_outcomes(count, _PATIENCE)
        accepted = {
            "email": Counter(_id(mail) for mail in smtp.messages),
            "line": Counter(asked.headers["x-line-retry-key"] for asked in line.accepted),
            "slack": _by_text(bench.commands["slack"], slack),
        }
    return _judged(bench, outcomes, accepted, arrived)


def _judged(
    bench: Bench, outcomes: Sequence[Outcome], accepted: Mapping[str, Counter[str]], arrived: Mapping[str, int]
) -> Result:
    ends = {outcome.command_id: outcome.status for outcome in outcomes}
    findings = Findings(
        events=sum(map(len, bench.commands.values())), decisions=len(ends), repeated=len(outcomes) - len(ends)
    )
    unknown: list[str] = []
    for channel, commands in bench.commands.items():
        for name in (command.command_id for command in commands):
            times, status = accepted[channel][name], ends[name]
            if status == "ambiguous" and channel == "slack":
                unknown.append(name)
            elif status != "sent" or not times:
                findings.note("lost", f"{channel} {name} ended as {status}, accepted {times} times")
            if times > 1:
                findings.note("doubled", f"{channel} {name} was accepted {times} times")
    calm, troubled = (
        [_times(one, arrived) for one in bench.windows if bool(one.trouble) is beside] for beside in (False, True)
    )
    share = {True: _share(troubled), False: _share(calm)}
    figures = {
        "troubles": len(troubled),
        "unknown": len(unknown),
        "unknown_accepted": sum(accepted["slack"][name] for name in unknown),
        "left_alone_s": max(bench.opened),
        "mails_in_time_pct": 100 * share[True],
        "mails_in_time_calm_pct": 100 * share[False],
        "mails_p99_ms": median(late[-1 - len(late) // 100] for late in troubled),
        "mails_p99_calm_ms": median(late[-1 - len(late) // 100] for late in calm),
    }
    result = Result(row="R11", findings=findings, figures=figures)
    result.require("left_alone_s", 5)
    result.expect(share[False] >= 0.5, "the machine is too busy to tell: most mails were late in calm seconds too")
    result.expect(share[True] >= 0.95 * share[False], "the other channel lost more than 5 % of its rate")
    return result


def _times(window: Window, arrived: Mapping[str, int]) -> list[int]:
    """Return how long each mail of ``window`` took, in ms; what has not arrived counts as a minute."""
    return sorted(arrived.get(name, at + 60 * SECOND) - at for name, at in window.mails.items())


def _share(windows: Sequence[Sequence[int]]) -> float:
    """Return the share of mails that arrived in time."""
    return sum(late <= _IN_TIME for one in windows for late in one) / sum(map(len, windows))


def _by_text(commands: Sequence[SendCommand], slack: ProviderServer) -> Counter[str]:
    """Slack keeps no id of ours: each text is one command's."""
    names = {command.content["slack"]["text"]: command.command_id for command in commands}
    return Counter(names[asked.json()["text"]] for asked in slack.accepted)


def _id(mail: ReceivedMessage) -> str:
    return str(mail.message["Message-ID"]).strip("<>").split("@")[0]


def _providers(folder: Path, line: ProviderServer, slack: ProviderServer) -> Path:
    token = folder / "token"
    token.write_text("t0ken")
    file = folder / "providers.yaml"
    file.write_text(
        "schema: providers/v1\nchannels:\n"
        f"  line: [{{kind: line, base_url: '{line.url}', token: {{file: {token}}}, timeout: 5s, connections: 16}}]\n"
        f"  slack: [{{kind: slack, hooks: '{slack.url}/services', timeout: 5s, connections: 16}}]\n"
    )
    return file


def _left_alone(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return False
    return any(line.startswith("kikkake_provider_left_alone{") and float(line.split()[-1]) > 0 for line in lines)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
