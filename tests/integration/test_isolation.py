"""One provider hangs: what the other channel gets through meanwhile, and how soon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median

import pytest

from shared.clock import system_clock
from shared.kafka.admin import ensure_topics
from shared.messages.command import SendCommand
from tests.integration.test_dispatcher_kafka import World, command_now
from tests.providers import CASES
from tests.servers.kafka import KafkaServer
from tests.servers.provider import ProviderServer
from tests.servers.redis import RedisServer
from tests.servers.smtp import ReceivedMessage, SmtpServer

pytestmark = pytest.mark.integration

MAILS_PER_SECOND = 40
TEXTS_PER_SECOND = 40
SECONDS = 6


class Window:
    """Mails of some seconds, with or without the other channel's messages, and what became of them."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.decided: dict[str, int] = {}

    async def send(self, world: World, hook: str | None) -> None:
        """Send at a constant rate, whatever becomes of it."""
        begun = system_clock()
        for number in range(MAILS_PER_SECOND * SECONDS):
            mail = command_now(self.first + number)
            self.decided[mail.command_id] = mail.decided_at
            texts = [] if hook is None else [slack(self.first + 500_000 + number, hook)]
            await world.command(mail, *texts)
            await asyncio.sleep(max(0, begun / 1000 + (number + 1) / MAILS_PER_SECOND - system_clock() / 1000))

    def late(self, arrived: dict[str, int]) -> list[int]:
        """Return how long after its decision each mail arrived, in ms; what has not arrived counts as a minute."""
        return sorted(arrived.get(name, at + 60_000) - at for name, at in self.decided.items())


def slack(number: int, hook: str) -> SendCommand:
    return command_now(number, channels=("slack",), addresses={"slack": hook}, content={"slack": {"text": "Hi"}})


async def test_a_provider_that_hangs_takes_nothing_from_another_channel(
    kafka_server: KafkaServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    arrived: dict[str, int] = {}

    def note(mail: ReceivedMessage) -> None:
        name = str(mail.message["Message-ID"]).strip("<>").split("@")[0]
        arrived[name] = system_clock()

    with SmtpServer(accepted=note) as smtp:
        async with ProviderServer(CASES["slack"].face) as hanging:
            world = World(kafka_server, redis_server, smtp)
            await ensure_topics(world.settings)
            marks = asyncio.create_task(world.mark())
            providers = tmp_path / "providers.yaml"
            providers.write_text(
                "schema: providers/v1\nchannels:\n"
                f"  slack: [{{kind: slack, hooks: '{hanging.url}', timeout: 15s, connections: 64}}]\n"
            )
            hanging.always("hang")
            pairs: list[tuple[list[int], list[int]]] = []
            with world.dispatcher(tmp_path, providers=providers, in_flight=50):
                warm = Window(0)
                await warm.send(world, None)
                for pair in range(3):
                    calm, beside = Window(1_000 * (2 * pair + 1)), Window(1_000 * (2 * pair + 2))
                    await calm.send(world, None)
                    await beside.send(world, f"{hanging.url}/services/T0/B{pair}/x")
                    await asyncio.sleep(1)
                    pairs.append((calm.late(arrived), beside.late(arrived)))
            marks.cancel()
            await asyncio.gather(marks, return_exceptions=True)
            await world.publisher.stop()
    rate = median(within(beside) / within(calm) for calm, beside in pairs)
    p99 = median(beside[-len(beside) // 100] / calm[-len(calm) // 100] for calm, beside in pairs)
    ends = [(calm[-len(calm) // 100], beside[-len(beside) // 100]) for calm, beside in pairs]
    print(f"P11 rate={rate:.2f} p99={p99:.2f} asked={len(hanging.asked)} p99_ms={ends}")
    assert len(hanging.asked) < 3 * TEXTS_PER_SECOND * SECONDS
    assert rate >= 0.95
    # The goal is 2; on a machine that other tests share, tens of milliseconds of one window are chance.
    assert p99 <= 5 or median(beside for _, beside in ends) <= 1_000


def within(late: list[int]) -> int:
    """Return how many arrived within a second after the last of their window was decided."""
    return sum(one <= 1_000 for one in late)
