"""What a worker tells the watchdog of its partitions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.evaluator.broker_time import BrokerTime
from services.evaluator.changelog.rows import MemoryRows
from services.evaluator.lease import Lease
from services.evaluator.owned import OwnedPartitions, _Owned
from services.evaluator.settings import EvaluatorSettings
from shared.journeys.model import Definitions
from shared.log import LogRecord
from shared.metrics import Metrics


def owned_partitions(*numbers: int) -> OwnedPartitions:
    """Return a worker that owns these partitions, of which nothing was read yet."""
    owned = OwnedPartitions(EvaluatorSettings(), Definitions(journeys=()), Lease(), Metrics())
    for number in numbers:
        changelog = SimpleNamespace(load_meta=lambda: None)
        runner = SimpleNamespace(busy=False, failed=False, caught_up=False)
        time = BrokerTime(lambda: 0, lambda: 0)
        owned._owned[number] = _Owned(MemoryRows(), cast("Any", changelog), cast("Any", runner), time)
    owned._assigned = True
    return owned


def answered(owned: OwnedPartitions, monkeypatch: pytest.MonkeyPatch, read: Any) -> None:
    """Let Kafka answer that every partition ends at 5, and ``read`` with what is there."""

    async def ends(*_: Any) -> dict[int, int]:
        return {0: 5, 1: 5}

    async def incarnations(*_: Any) -> dict[int, str]:
        return {}

    monkeypatch.setattr(owned._reader, "ends", ends)
    monkeypatch.setattr(owned._reader, "read", read)
    monkeypatch.setattr("services.evaluator.owned.read_incarnations", incarnations)


async def test_partitions_may_change_hands_while_kafka_is_asked_about_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ended the process: a dictionary must not change while it is walked."""
    owned = owned_partitions(0, 1)

    async def read(_topic: str, partition: int, *_: Any) -> list[LogRecord]:
        owned._owned.pop(1, None)
        return [LogRecord(0, 0, b"u:1", b"")] if partition == 0 else []

    answered(owned, monkeypatch, read)
    assert {"partition 0": "epoch 0, next record 0"} == await owned._work()


@pytest.mark.parametrize(("meanwhile", "caught_up"), [("nothing", True), ("an epoch", False), ("a batch", False)])
async def test_a_log_that_ends_with_what_nobody_can_read_was_read_to_its_end(
    meanwhile: str, caught_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind another producer's transaction no tick would be written, and no timer of a quiet log fire."""
    owned = owned_partitions(0)
    runner, changelog = cast("Any", owned._owned[0].runner), cast("Any", owned._owned[0].changelog)

    async def read(*_: Any) -> list[LogRecord]:
        if meanwhile == "an epoch":
            changelog.load_meta = lambda: b"newer"
        runner.failed = meanwhile == "a batch"
        return []

    answered(owned, monkeypatch, read)
    assert {} == await owned._work()
    assert caught_up is runner.caught_up
