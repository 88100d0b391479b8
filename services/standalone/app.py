"""Composition root of the standalone host: storage, ingest, evaluation and dispatch in one process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import uvicorn
from fastapi import FastAPI

from services.dispatcher.channels.base import Channel
from services.dispatcher.channels.email import EmailChannel, EmailSettings
from services.dispatcher.channels.inbox import InboxChannel
from services.dispatcher.channels.smtp import parse_smtp_url
from services.evaluator.core.catalog import build_catalog
from services.ingest.app import create_app
from services.standalone.credentials import Credentials, load_credentials
from services.standalone.dispatch import Dispatch
from services.standalone.evaluation import Evaluation
from services.standalone.inbox import create_inbox_router
from services.standalone.journey_time import note_journey_time, open_journey_clock
from services.standalone.settings import StandaloneSettings
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import DAY, Clock, system_clock
from shared.journeys.conditions import CHANNELS
from shared.journeys.files import load_journeys
from shared.messages.topics import EVENTS
from shared.metrics import Metrics

_NOTE_TIME = 1.0
_RETAIN = 3600.0
_KEEP_DELIVERIES = 30 * DAY


class Standalone(msgspec.Struct):
    """A composed host. ``serve`` runs it."""

    app: FastAPI
    credentials: Credentials
    database: Database
    log: SqliteLog
    deliveries: SqliteDeliveries
    evaluation: Evaluation
    dispatch: Dispatch
    clock: Clock
    speed: float

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Evaluate and deliver for the length of the block; gives the task that ends when either fails."""
        await note_journey_time(self.deliveries, self.speed, self.clock)
        work = asyncio.create_task(self._work())
        try:
            yield work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await note_journey_time(self.deliveries, self.speed, self.clock)
            await self.database.close()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.evaluation.run())
            group.create_task(self.dispatch.run())
            group.create_task(self._keep_time())
            group.create_task(self._retain())

    async def _keep_time(self) -> None:
        while self.speed != 1:
            await asyncio.sleep(_NOTE_TIME)
            await note_journey_time(self.deliveries, self.speed, self.clock)

    async def _retain(self) -> None:
        while True:
            await self.log.retain(self.clock())
            await self.deliveries.trim(system_clock() - _KEEP_DELIVERIES)
            await asyncio.sleep(_RETAIN)


def compose(settings: StandaloneSettings) -> Standalone:
    """Open the data folder and put the host together. Call inside a running loop.

    Raises ConfigurationError and JourneyFaultsError, which say what to change.
    """
    journeys = load_journeys(settings.journeys)
    channels = _channels(settings)
    database = Database(settings.data, settings.durability)
    made = load_credentials(settings.data)
    credentials = Credentials(
        settings.write_keys[0] if settings.write_keys else made.write_key, settings.admin_token or made.admin_token
    )
    clock_ref: list[Clock] = [system_clock]
    log = SqliteLog(database, lambda: clock_ref[0]())
    deliveries = SqliteDeliveries(database, log)
    newest = log.read(EVENTS, PARTITION, log.end(EVENTS, PARTITION) - 1, 1)
    clock = open_journey_clock(deliveries, settings.speed, newest[0].timestamp if newest else 0)
    clock_ref[0] = clock
    metrics = Metrics()
    contacts = SqliteContacts(database, log)
    catalog = build_catalog(journeys)
    evaluation = Evaluation(
        log=log, contacts=contacts, catalog=catalog, clock=clock, speed=settings.speed, metrics=metrics
    )
    dispatch = Dispatch(log=log, deliveries=deliveries, channels=channels, clock=clock, metrics=metrics)
    app = create_app(
        publisher=log,
        write_keys=settings.write_keys or (made.write_key,),
        ready=_ready,
        clock=clock,
        metrics=metrics,
        extra_routers=[create_inbox_router(channels, credentials.admin_token)],
    )
    return Standalone(app, credentials, database, log, deliveries, evaluation, dispatch, clock, settings.speed)


async def serve(host: Standalone, settings: StandaloneSettings) -> None:
    """Serve HTTP until SIGTERM or SIGINT; whatever was accepted is durable. Raises what ended the work, if it did."""
    config = uvicorn.Config(
        host.app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    async with host.running() as work:
        work.add_done_callback(lambda _done: setattr(server, "should_exit", True))
        await server.serve()
        if work.done():
            work.result()


def _channels(settings: StandaloneSettings) -> dict[str, Channel]:
    channels: dict[str, Channel] = {name: InboxChannel(name) for name in CHANNELS}
    if settings.smtp is not None:
        channels["email"] = EmailChannel(parse_smtp_url(settings.smtp), EmailSettings(sender=settings.email_from))
    return channels


async def _ready() -> bool:
    return True
