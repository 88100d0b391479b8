"""The three services on a real Kafka, Redis and SMTP server, as processes of their own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord
from shared.messages.topics import TopicName
from tests.e2e.processes import service, smtp_process
from tests.e2e.scenario import WRITE_KEY
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer

PARTITIONS = 4
NO_MORE: Mapping[str, str] = {}


class Stack:
    """Ingest, evaluator and dispatcher, with topics of their own on the shared servers."""

    def __init__(
        self, folder: Path, kafka: KafkaServer, redis: RedisServer, journeys: Path, more: Mapping[str, str] = NO_MORE
    ) -> None:
        """``journeys``: the folder of journeys; ``more``: settings of all three."""
        name = uuid.uuid4().hex[:8]
        self.prefix = f"e2e-{name}."
        self.bootstrap = kafka.bootstrap
        self.journeys = journeys
        self.smtp, self.mails = smtp_process(folder)
        env = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_REDIS_URL": redis.url,
            "KIKKAKE_TOPIC_PREFIX": self.prefix,
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_JOURNEYS": str(self.journeys),
            "KIKKAKE_DATA": str(folder / "evaluator"),
            "KIKKAKE_WRITE_KEYS": WRITE_KEY,
            "KIKKAKE_SMTP_URL": f"smtp://127.0.0.1:{self.smtp.port}",
            "KIKKAKE_EMAIL_FROM": "Shop <shop@example.jp>",
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{name}",
            "KIKKAKE_EVALUATOR_INSTANCE": f"evaluator-{name}-0",
            "KIKKAKE_DISPATCHER_GROUP": f"dispatcher-{name}",
            "KIKKAKE_DISPATCHER_INSTANCE": f"dispatcher-{name}-0",
            # The least that a broker takes by default: an outage after a kill lasts as long at the most.
            "KIKKAKE_SESSION_TIMEOUT": "6",
            **more,
        }
        self.ingest = service("ingest", env, folder)
        self.evaluator = service("evaluator", env, folder)
        self.dispatcher = service("dispatcher", env, folder)
        self.services = (self.ingest, self.evaluator, self.dispatcher)

    def read(self, topic: TopicName) -> list[list[LogRecord]]:
        """Return each partition's records."""

        async def partition(number: int) -> list[LogRecord]:
            reader = KafkaLogReader(self.bootstrap, prefix=self.prefix)
            return [record async for batch in reader.read_all(topic, number) for record in batch]

        async def all_partitions() -> list[list[LogRecord]]:
            return list(await asyncio.gather(*[partition(number) for number in range(PARTITIONS)]))

        return asyncio.run(all_partitions())

    def tails(self) -> str:
        """The last lines of every service."""
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self.services)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all of them for the block."""
        self.smtp.start()
        try:
            for process in self.services:
                process.start()
            for process in self.services:
                process.ready()
            yield
        finally:
            for process in (*self.services, self.smtp):
                process.end()
