"""Every name of Faust, mode and aiokafka that the evaluator's transport overrides or touches is still there, as it was.

The transport (services/evaluator: batch_consumer, transport, lease) stands on internals of pinned versions. After an
upgrade this says which of them moved, before a broker is needed to find out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from aiokafka.structs import ConsumerRecord
from faust import App
from faust.app.base import BootStrategy
from faust.assignor.partition_assignor import PartitionAssignor
from faust.serializers.schemas import Schema
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types.tuples import ConsumerMessage
from mode import Service, Worker
from mode.threads import ServiceThread

from services.evaluator import batch_consumer, transport
from services.evaluator.lease import Lease, watch

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}

# What we override, and the parameters that Faust passes.
OVERRIDDEN: list[tuple[type, type, str, list[str]]] = [
    (batch_consumer.BatchConsumer, Consumer, "_new_consumer_thread", []),
    (batch_consumer.BatchConsumer, BaseConsumer, "on_partitions_assigned", ["assigned", "generation_id"]),
    (batch_consumer.BatchConsumer, BaseConsumer, "on_partitions_revoked", ["revoked"]),
    (batch_consumer.BatchConsumer, BaseConsumer, "perform_seek", []),
    (batch_consumer.BatchConsumer, BaseConsumer, "resume_flow", []),
    (batch_consumer.BatchConsumer, BaseConsumer, "getmany", ["timeout"]),
    (batch_consumer.BatchConsumer, BaseConsumer, "_new_offset", ["tp"]),
    (batch_consumer.BatchConsumer, BaseConsumer, "_drain_messages", ["fetcher"]),
    (batch_consumer.BatchConsumer, Consumer, "verify_event_path", ["now", "tp"]),
    (batch_consumer.BatchConsumer, ThreadDelegateConsumer, "close", []),
    (batch_consumer.BatchConsumerThread, AIOKafkaConsumerThread, "_create_worker_consumer", ["transport"]),
    (batch_consumer.BatchConsumerThread, AIOKafkaConsumerThread, "on_start", []),
    (transport.EvaluatorApp, App, "on_start", []),
    (transport.EvaluatorApp, App, "on_stop", []),
    (transport.EvaluatorApp, Service, "_crash", ["reason"]),
]

# What we call or rely on being called, with the parameters that we count on.
CALLED: list[tuple[Callable[..., Any], list[str]]] = [
    (AIOKafkaConsumerThread._fetch_records, ["consumer", "active_partitions", "timeout", "max_records"]),
    (AIOKafkaConsumerThread._ensure_consumer, []),
    (ServiceThread.start, []),
    (BaseConsumer.commit, ["topics", "start_new_transaction"]),
    (BaseConsumer.maybe_wait_for_commit_to_finish, []),
    (BaseConsumer._filter_tps_with_pending_acks, ["topics"]),
    (Conductor.acks_enabled_for, ["topic"]),
    (TableManager._update_channels, []),
    (TableManager.on_start, []),
    (Recovery._resume_streams, ["generation_id"]),
    (PartitionAssignor.assigned_standbys, []),
    (GroupCoordinator._send_req, ["request"]),
    (GroupCoordinator.check_errors, []),
    (GroupCoordinator._do_heartbeat, []),
    (CoordinatorGroupRebalance._send_sync_group_request, ["request"]),
    (Fetcher.fetched_records, ["partitions", "timeout", "max_records"]),
    (AIOKafkaConsumer.beginning_offsets, ["partitions"]),
    (AIOKafkaConsumer.end_offsets, ["partitions"]),
    (AIOKafkaConsumer.committed, ["partition"]),
    (AIOKafkaConsumer.seek, ["partition", "offset"]),
]

# Attributes that are made in a constructor or method: the words must be in its source.
MENTIONED: list[tuple[Callable[..., Any], list[str]]] = [
    (AIOKafkaConsumer.__init__, ["self._fetch_max_wait_ms", "self._max_poll_records", "self._subscription"]),
    (AIOKafkaConsumer.start, ["self._fetch_max_wait_ms", "self._coordinator = GroupCoordinator("]),
    (GroupCoordinator._do_heartbeat, ["HeartbeatRequest(", "await self._send_req(request)"]),
    (CoordinatorGroupRebalance._send_sync_group_request, ["self._coordinator._send_req(request)"]),
    (GroupCoordinator.reset_generation, ["self.member_id = JoinGroupRequest.UNKNOWN_MEMBER_ID"]),
    (TopicPartitionState.__init__, ["self.highwater"]),
    # Where fetched records become ours.
    (Fetcher._proc_fetch_request, ["self._records[tp] = FetchResult(", "partition_records=partition_records"]),
    (FetchResult.__init__, ["self._partition_records = partition_records"]),
    (PartitionRecords._unpack_records, ["= self._consumer_record(tp, record)"]),
    (
        BaseConsumer.__init__,
        ["self._acked =", "self._acked_index =", "self._read_offset =", "self._committed_offset ="],
    ),
    (BaseConsumer.ack, ["self._acked[tp]", "self._acked_index[tp]", "self._committed_offset[tp]"]),
    (BaseConsumer._drain_messages, ["getmany(timeout=1.0)", "self._read_offset.__getitem__", "r_offset is None or"]),
    # The order that our restore and seeks rely on: restored, then sought, then resumed, outdated ones given up.
    (
        Recovery._resume_streams,
        ["on_rebalance_complete.send()", "consumer.perform_seek()", "flow_control.resume()", "consumer.resume_flow()"],
    ),
    (inspect.unwrap(Recovery._restart_recovery.fun), ["if not self.tables", "except RebalanceAgain"]),
    (App._on_partitions_revoked, ["consumer.stop_flow", "self._consumer_wait_empty"]),
    (App._on_partitions_assigned, ["self.tables.on_rebalance", "self.crash(exc)"]),
    (Service.crash, ["child._crash(reason)"]),
    (Worker.execute_from_commandline, ["self.on_worker_shutdown()"]),
]


def parameters(function: Callable[..., Any]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize(("package", "expected"), PINNED.items())
def test_versions_are_those_whose_source_was_read(package: str, expected: str) -> None:
    assert expected == version(package), f"{package} changed: read its source again, then update the pin here"


@pytest.mark.parametrize(("ours", "theirs", "name", "expected"), OVERRIDDEN)
def test_overridden_method_exists_with_the_same_parameters(
    ours: type, theirs: type, name: str, expected: list[str]
) -> None:
    assert issubclass(ours, theirs)
    assert name in vars(theirs), f"{theirs.__module__}.{theirs.__qualname__} no longer defines {name}"
    assert expected == parameters(vars(theirs)[name]), f"{theirs.__qualname__}.{name} takes other parameters now"
    assert name in vars(ours), f"{ours.__qualname__} no longer overrides {name}: take it off this list"
    assert expected == parameters(vars(ours)[name])


@pytest.mark.parametrize(("function", "expected"), CALLED, ids=lambda it: getattr(it, "__qualname__", None))
def test_called_method_takes_the_same_parameters(function: Callable[..., Any], expected: list[str]) -> None:
    assert expected == parameters(function), f"{function.__qualname__} takes other parameters now"


@pytest.mark.parametrize(("function", "words"), MENTIONED, ids=lambda it: getattr(it, "__qualname__", None))
def test_source_still_says_what_we_rely_on(function: Callable[..., Any], words: list[str]) -> None:
    source, position = inspect.getsource(function), 0
    for word in words:
        assert word in source, f"{function.__qualname__} no longer contains {word!r}"
    if function is Recovery._resume_streams:
        for word in words:
            assert position <= (position := source.index(word)), f"{word!r} comes earlier than it did"


def test_attributes_and_types_are_there() -> None:
    assert isinstance(inspect.getattr_static(SubscriptionState, "reassignment_in_progress"), property)
    assert isinstance(inspect.getattr_static(SubscriptionState, "subscription"), property)
    assert isinstance(inspect.getattr_static(Assignment, "active"), property)
    assert {"offset", "timestamp", "timestamp_type", "key", "value", "headers"} <= set(
        ConsumerRecord.__dataclass_fields__
    )
    assert ["group", "generation_id", "member_id"] == parameters(HeartbeatRequest.__init__)
    assert inspect.isclass(SyncGroupRequest)
    assert issubclass(RebalanceAgain, Exception)
    assert {"value", "offset", "tp", "generation_id"} <= set(parameters(ConsumerMessage.__init__))
    assert Transport.Consumer is Consumer
    assert "compile" in vars(Schema)
    assert hasattr(BootStrategy, "enable_kafka_producer")


class Coordinator:
    """Answers like aiokafka's; the broker's answer takes ``delay`` to arrive."""

    def __init__(self) -> None:
        self.now = 0
        self.delay = 0
        self.error_code = 0
        self.member_id = "m1"

    async def _send_req(self, request: object) -> Coordinator:
        self.now += self.delay
        return self


HEARTBEAT = HeartbeatRequest("group", 1, "m1")


async def test_lease_counts_from_when_the_heartbeat_was_sent() -> None:
    """An answer that waited in the socket while the process was stopped must not revive it."""
    coordinator = Coordinator()
    lease = Lease(10_000, clock=lambda: coordinator.now)
    watch(coordinator, lease)
    assert not lease.valid()
    await coordinator._send_req(HEARTBEAT)
    assert lease.valid()
    coordinator.now = 4_999
    assert lease.valid()
    coordinator.now = 5_000
    assert not lease.valid()
    coordinator.delay = 20_000
    await coordinator._send_req(HEARTBEAT)
    assert not lease.valid()


@pytest.mark.parametrize(("error_code", "valid"), [(0, True), (27, True), (25, False), (22, False), (82, False)])
async def test_only_an_accepted_heartbeat_renews_the_lease(error_code: int, valid: bool) -> None:
    """27 is REBALANCE_IN_PROGRESS, still a member; 25, 22 and 82 mean that we are not."""
    coordinator = Coordinator()
    lease = Lease(10_000, clock=lambda: coordinator.now)
    watch(coordinator, lease)
    coordinator.error_code = error_code
    await coordinator._send_req(HEARTBEAT)
    assert valid is lease.valid()


async def test_a_new_member_id_is_a_new_membership() -> None:
    coordinator = Coordinator()
    lease = Lease(10_000, clock=lambda: coordinator.now)
    watch(coordinator, lease)
    for _ in range(3):
        await coordinator._send_req(HEARTBEAT)
    assert 1 == lease.memberships
    coordinator.member_id = "m2"
    await coordinator._send_req(HEARTBEAT)
    assert 2 == lease.memberships
