"""Faust as the evaluator's engine: group, rebalances, flow and commits are Faust's; batches, seeks and draining ours.

Stock Faust spends about 165 us on each record. Here one Faust event is one fetched batch of one partition, which runs
at aiokafka's own speed. Only this module, ``batch_consumer`` (its half that overrides Faust's consumer) and the
composition root know Faust.

The way of a batch: consumer thread (fetch) -> ``BatchConsumer.getmany`` -> Faust's conductor and agent -> its
partition's ``Lane``, which hands batches to the handler one after another -> ack -> Faust's commit loop.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NoReturn, cast

import faust
from faust.app.base import BootStrategy
from faust.serializers.schemas import Schema
from faust.tables.manager import TableManager
from faust.types import AppT, Message
from mode import CrashingSupervisor
from yarl import URL

from services.evaluator.batch_consumer import BatchConsumer, BatchTransport
from services.evaluator.lease import Lease
from services.evaluator.partitions import EXIT_FATAL, Batch, PartitionHandler, fatal
from shared.clock import SECOND

__all__ = ["EXIT_FATAL", "Batch", "EvaluatorApp", "Lease", "PartitionHandler", "create_app", "fatal", "run"]


# With the drain's 20 s it stays within the 30 s that Kubernetes gives by default (terminationGracePeriodSeconds).
_FAREWELL = 5.0  # s


class _PassThrough(Schema[Any, Any]):
    """Lets Faust carry a ``Delivery`` where it expects bytes to decode."""

    def compile(self, app: AppT, **_: Any) -> Any:
        """Return the function that makes a message an event."""

        async def decode(message: Message, **_: Any) -> Any:
            return app.create_event(None, message.value, None, message)

        return decode


class _NoTables(TableManager):
    """Faust's recovery without its tables; it runs ``restore`` and ``perform_seek`` after each rebalance."""

    async def on_start(self) -> None:
        """Start at once: Faust first waits a second for tables to be declared."""
        await self._update_channels()
        await self.recovery.start()


class _Boot(BootStrategy):
    enable_kafka_producer = False  # ours writes the changelog and all else; Faust's would only hold a connection


class EvaluatorApp(faust.App):
    """Faust's application with our handler. Make it with ``create_app``."""

    BootStrategy = _Boot
    lifespan: AbstractAsyncContextManager[Any] | None = None
    leave_within: float | None = None
    """Seconds for Faust's farewell after the drain: it waits without end for a broker that is away."""

    async def on_start(self) -> None:
        """Enter the lifespan before anything can be assigned."""
        if self.lifespan is not None:
            await self.add_async_context(self.lifespan)
        await super().on_start()

    async def on_stop(self) -> None:
        """Drain and commit while everything still runs; Faust then leaves the group."""
        await cast("BatchConsumer", self.consumer).release()
        if self.leave_within is not None:
            deadline = threading.Timer(self.leave_within, os._exit, [os.EX_OK])
            deadline.daemon = True
            deadline.start()
        await super().on_stop()

    def _crash(self, reason: BaseException) -> None:
        if self.should_stop:
            super()._crash(reason)
        else:  # of any part of Faust; an orderly stop of what just broke may hang
            fatal(reason)


def create_app(  # noqa: PLR0913 - the settings of one worker, all by name
    *,
    group: str,
    bootstrap: str,
    topic: str,
    handler: PartitionHandler,
    lease: Lease,
    datadir: Path,
    instance_id: str | None = None,
    standby_replicas: int = 0,
    heartbeat_interval: int = 1 * SECOND,
    rebalance_timeout: int = 30 * SECOND,
    drain_timeout: int = 20 * SECOND,
    max_poll_interval: int = 1000 * SECOND,
    commit_interval: int = 1 * SECOND,
    max_poll_records: int = 2000,
    web_host: str = "127.0.0.1",
    web_port: int | None = None,
    lifespan: AbstractAsyncContextManager[Any] | None = None,
) -> EvaluatorApp:
    """Make the worker that feeds ``topic`` to ``handler`` as one member of ``group``.

    Times are in milliseconds. ``bootstrap`` is host:port, several separated by commas. ``instance_id`` (unique per
    worker, the same after its restart) spares the group a rebalance when the worker is back within a session.
    ``standby_replicas`` is how many others each partition is given to as a standby; the group's leader decides.
    ``lifespan`` is entered before the worker joins and left after it has drained. The topic must exist.
    """
    if 4 * heartbeat_interval > lease.session_timeout:
        raise ValueError("at least two heartbeats must fit into the half session that a lease lasts")
    urls = [URL(f"kafka://{address.strip()}") for address in bootstrap.split(",")]
    app = EvaluatorApp(
        group,
        broker=urls,
        datadir=datadir,
        # At least one, for Faust's sticky assignor: without tables it would else move every partition, round robin.
        table_standby_replicas=max(1, standby_replicas),
        TableManager=_NoTables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_group_instance_id=instance_id,
        # Part of the assignment, which the assignor insists on finding unchanged when an instance comes back.
        canonical_url=URL(f"http://{instance_id or f'{socket.gethostname()}-{os.getpid()}'}"),
        # A position that the log does not have must stop us; "earliest" would silently read all of it again.
        consumer_auto_offset_reset="none",
        broker_session_timeout=lease.session_timeout / SECOND,
        broker_heartbeat_interval=heartbeat_interval / SECOND,
        broker_rebalance_timeout=rebalance_timeout / SECOND,
        broker_request_timeout=max(rebalance_timeout + 10 * SECOND, lease.session_timeout) / SECOND,
        broker_max_poll_interval=max_poll_interval / SECOND,
        broker_max_poll_records=max_poll_records,
        broker_commit_interval=commit_interval / SECOND,
        stream_wait_empty=False,  # ``release`` drains; Faust's would also wait for batches that were dropped
        agent_supervisor=CrashingSupervisor,
        web_enabled=web_port is not None,
        web_host=web_host,
        web_bind=web_host,
        web_port=web_port or 6066,
        worker_redirect_stdouts=False,
        autodiscover=False,
    )
    app.lifespan = lifespan
    app.transport = BatchTransport(urls, app, handler, lease, drain_timeout)

    async def deliver(stream: Any) -> None:
        async for event in stream.noack().events():
            event.value.lane.put(event.value.batch, event.ack)

    async def restore(*_: Any, **__: Any) -> None:
        await cast("BatchConsumer", app.consumer).restore()

    app.agent(app.topic(topic, schema=_PassThrough()), name="deliver")(deliver)
    app.on_rebalance_complete.connect(restore, weak=False)
    return app


def run(app: EvaluatorApp) -> NoReturn:
    """Run until SIGTERM or SIGINT, then drain, commit and leave by SystemExit(0). Logging is the caller's to set up."""
    app.leave_within = _FAREWELL
    worker = faust.Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None  # it writes to the terminal
    worker.execute_from_commandline()
