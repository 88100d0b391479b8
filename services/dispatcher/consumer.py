"""The consumer group: which partitions are ours, what is committed, and whether we still belong to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError

from services.dispatcher.partition import OwnedPartition
from services.dispatcher.settings import DispatcherSettings
from shared.clock import Clock, monotonic_clock
from shared.messages.topics import CANCELS, COMMANDS

_LOG = structlog.get_logger(__name__)
_COMMIT_SECONDS = 1.0


def make_consumer(settings: DispatcherSettings) -> AIOKafkaConsumer:
    """Return the group's consumer, not started. Range assignment gives both topics' same numbers to one member."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=settings.dispatcher_group,
        group_instance_id=settings.dispatcher_instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.session_timeout * 1000),
        heartbeat_interval_ms=int(settings.session_timeout * 300),
        rebalance_timeout_ms=int((settings.session_timeout + settings.drain_timeout) * 1000),
        fetch_max_wait_ms=200,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )


class Membership:
    """Whether we are still in the group: as long as the broker took a commit of ours less than half a session ago.

    Counted from when the commit was sent, by a clock that runs on while the process is stopped: after SIGCONT the first
    thing we know is that we may have lost everything.
    """

    def __init__(self, session_timeout: int, clock: Clock = monotonic_clock) -> None:
        self._limit = session_timeout // 2
        self._clock = clock
        self._confirmed: int | None = None

    def now(self) -> int:
        """Return the time to pass to ``confirm``."""
        return self._clock()

    def confirm(self, sent: int) -> None:
        """The broker accepted what we sent as a member at ``sent``."""
        self._confirmed = sent

    def valid(self) -> bool:
        """Return whether our partitions are still ours."""
        return self._confirmed is not None and self._clock() - self._confirmed < self._limit


class Dispatcher(ConsumerRebalanceListener):  # type: ignore[misc]
    """Owns the partitions that the group gives us."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        settings: DispatcherSettings,
        membership: Membership,
        own: Callable[[int], OwnedPartition],
    ) -> None:
        self._consumer = consumer
        self._settings = settings
        self._membership = membership
        self._own = own
        self._partitions: dict[int, OwnedPartition] = {}
        self._failed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether we are a member of the group; having no partition is no fault."""
        return self._membership.valid()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until ``stop``, then finish what is under way, commit and leave.

        Raises what made a partition fail, other than losing it: the supervisor restarts us.
        """
        topics = [self._settings.topic_prefix + COMMANDS, self._settings.topic_prefix + CANCELS]
        self._consumer.subscribe(topics, listener=self)
        ended = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._commit()
                self._check()
                await asyncio.wait({ended}, timeout=_COMMIT_SECONDS)
        finally:
            ended.cancel()
            await self._release(self._settings.drain_timeout)

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Finish, commit and forget all partitions: the group's protocol takes all of them at every rebalance."""
        if revoked:
            await self._release(self._settings.drain_timeout)

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Begin to take over what was assigned; returns at once, for heartbeats wait for us."""
        self._membership.confirm(self._membership.now())
        for number in sorted({place.partition for place in assigned}):
            self._partitions[number] = self._own(number)
        _LOG.info("dispatcher.assigned", partitions=sorted(self._partitions))

    async def _release(self, patience: float) -> None:
        partitions = list(self._partitions.values())
        await asyncio.gather(*[partition.stop(patience) for partition in partitions])
        await self._commit()
        self._partitions = {}

    async def _commit(self) -> None:
        """Commit what is done, and so prove that we are a member. A failure costs reading again, never a message."""
        offsets: dict[TopicPartition, Any] = {}
        for partition in self._partitions.values():
            offsets |= partition.committable
        if not offsets:
            if self._consumer.assignment() or self._partitions:
                return
            # Nothing assigned: nothing to lose.
            self._membership.confirm(self._membership.now())
            return
        sent = self._membership.now()
        try:
            await self._consumer.commit(offsets)
        except (KafkaError, IllegalStateError) as error:
            _LOG.warning("dispatcher.commit_failed", reason=repr(error))
        else:
            self._membership.confirm(sent)

    def _check(self) -> None:
        for partition in self._partitions.values():
            if partition.task.done() and not partition.task.cancelled():
                with contextlib.suppress(asyncio.CancelledError):
                    partition.task.result()
