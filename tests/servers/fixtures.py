"""Fixtures that give tests the real servers; where one cannot run, CI fails and a developer's run skips."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.servers.smtp import SmtpServer


def require(problem: str | None) -> None:
    """Go on if there is no ``problem``."""
    if problem is None:
        return
    if os.environ.get("CI", "").lower() == "true":
        # In CI a skipped test would look like one that passed.
        pytest.fail(problem, pytrace=False)
    pytest.skip(problem)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """One Kafka for the whole run. Tests share it: use topics and groups of your own, leave it running."""
    require(KafkaServer.available())
    with KafkaServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run. Tests share it: use keys of your own, and leave it running."""
    require(RedisServer.available())
    with RedisServer() as server:
        yield server


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A fresh SMTP server for one test."""
    with SmtpServer() as server:
        yield server
