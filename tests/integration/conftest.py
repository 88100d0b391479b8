"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.evaluator_world import World
from tests.servers.kafka import KafkaServer


@pytest.fixture
def world(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[World]:
    """Topics of its own on the real broker; the workers that a test starts there are ended with it."""
    world = World(tmp_path, kafka_server.bootstrap)
    try:
        yield world
    finally:
        for process in world.processes:
            process.end()
