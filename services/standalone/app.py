"""Composition root of the standalone host: storage, ingest, evaluation and dispatch in one process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec
import uvicorn
from fastapi import FastAPI

from services.dispatcher.channels.base import Provider
from services.dispatcher.channels.email import EmailChannel
from services.dispatcher.channels.inbox import InboxChannel
from services.dispatcher.channels.mail import Mails, mail_settings
from services.dispatcher.channels.smtp import parse_smtp_url
from services.dispatcher.connectors.file import lanes_of, read_connectors
from services.dispatcher.lanes import Lane
from services.dispatcher.providers import lanes_of as lanes_of_providers
from services.dispatcher.providers import read_providers
from services.dispatcher.rates import LocalRate
from services.evaluator.core.catalog import catalog_of
from services.ingest.app import create_app, random_id
from services.ingest.auth import Admin
from services.ingest.contacts import Readers, create_contacts_router
from services.ingest.dead_letter_routes import create_dead_letters_router
from services.ingest.dead_letters import DeadLetters
from services.ingest.keys import plain_keys
from services.ingest.keys_watch import KeysFile
from services.ingest.link_routes import Links, consents_by
from services.ingest.links.views import Views
from services.ingest.pace import Pace
from services.ingest.screening import Screening, load_standards
from services.ingest.server import Connection
from services.ingest.webhooks.feedback_kinds import feedback_of
from services.ingest.webhooks.file import read_webhooks
from services.standalone.credentials import Credentials, load_credentials
from services.standalone.dispatch import WIDTH, Dispatch
from services.standalone.evaluation import Evaluation
from services.standalone.inbox import create_inbox_router
from services.standalone.journey_time import note_journey_time, open_journey_clock
from services.standalone.lookup import ContactLookup
from services.standalone.reading import LogReading
from services.standalone.settings import READS_PER_SECOND, StandaloneSettings
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.deliveries import SqliteDeliveries
from services.standalone.storage.log import PARTITION, SqliteLog
from shared.clock import DAY, Clock, system_clock
from shared.composing.links import links_of
from shared.errors import ConfigurationError
from shared.journeys.conditions import CHANNELS
from shared.journeys.files import load_definitions
from shared.link_settings import seals_of
from shared.log import LogRecord
from shared.messages.topics import COMMANDS, EVENTS
from shared.metrics import Metrics
from shared.tokens import Tokens

_NOTE_TIME = 1.0
_RETAIN = 3600.0
_KEEP_DELIVERIES = 30 * DAY


class Standalone(msgspec.Struct):
    """A composed host. ``serve`` runs it."""

    app: FastAPI
    credentials: Credentials
    journeys: tuple[str, ...]
    database: Database
    log: SqliteLog
    deliveries: SqliteDeliveries
    evaluation: Evaluation
    dispatch: Dispatch
    clock: Clock
    speed: float
    keys_file: KeysFile | None

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
            if self.keys_file is not None:
                group.create_task(self.keys_file.watch())

    async def _keep_time(self) -> None:
        while self.speed != 1:
            await asyncio.sleep(_NOTE_TIME)
            await note_journey_time(self.deliveries, self.speed, self.clock)

    async def _retain(self) -> None:
        while True:
            await self.log.retain(self.clock(), {**self.evaluation.read_to, **self.dispatch.read_to})
            await self.deliveries.trim(system_clock() - _KEEP_DELIVERIES)
            await asyncio.sleep(_RETAIN)


def compose(settings: StandaloneSettings, environment: Mapping[str, str] | None = None) -> Standalone:
    """Open the data folder and put the host together. Call inside a running loop.

    The secrets of connectors, providers and webhooks come from ``environment``.

    Raises ConfigurationError and JourneyFaultsError, which say what to change.
    """
    if not all(key.strip() for key in settings.write_keys):
        raise ConfigurationError("a write key is empty: anybody could send events; leave --write-key out or name one")
    definitions, standards = load_definitions(settings.journeys), load_standards(settings.journeys)
    channels = _channels(settings, environment or {})
    inboxes: dict[str, InboxChannel] = {name: InboxChannel(name) for name in CHANNELS if name not in channels}
    seals = seals_of(settings.public_url, settings.link_secrets)
    connectors = {} if settings.connectors is None else read_connectors(settings.connectors, environment or {})
    database = Database(settings.data, settings.durability)
    made = load_credentials(settings.data)
    credentials = Credentials(
        settings.write_keys[0] if settings.write_keys else made.write_key, settings.admin_token or made.admin_token
    )
    plain = plain_keys(settings.write_keys or (made.write_key,))
    keys_file = None if settings.keys_file is None else KeysFile(settings.keys_file, plain.keys)
    ring = plain if keys_file is None else keys_file.ring
    journey = _JourneyTime()
    log = SqliteLog(database, journey)
    deliveries = SqliteDeliveries(database, log)
    newest = log.read(EVENTS, PARTITION, log.end(EVENTS, PARTITION) - 1, 1)
    # A folder made this moment holds nothing but its incarnation, stamped by the wall clock.
    known = newest[0].timestamp if newest and newest[0].offset > 0 else 0
    clock = journey.clock = open_journey_clock(deliveries, settings.speed, known, settings.start)
    metrics = Metrics()
    contacts = SqliteContacts(database, log)
    catalog = catalog_of(definitions)
    evaluation = Evaluation(
        log=log, contacts=contacts, catalog=catalog, clock=clock, speed=settings.speed, metrics=metrics
    )
    made_links = links_of(seals, settings.public_url)
    dispatch = Dispatch(
        log=log,
        deliveries=deliveries,
        channels={**channels, **{name: [Lane(inbox, WIDTH, name=inbox.id)] for name, inbox in inboxes.items()}},
        connectors=lanes_of(connectors),
        clock=clock,
        metrics=metrics,
        links=made_links,
    )
    feedback = None if seals is None else feedback_of(seals, metrics, clock)
    find = ContactLookup(contacts, lambda: evaluation.runner.caught_up).find

    async def fetch(_contact: str, offset: int) -> LogRecord | None:
        return next(iter(log.read(COMMANDS, PARTITION, offset, 1)), None)

    admin = Admin(credentials.admin_token, lambda: ring.keys.admins)
    app = create_app(
        publisher=log,
        keys=ring,
        admin_token=credentials.admin_token,
        ready=_ready,
        clock=clock,
        metrics=metrics,
        standards=standards,
        hooks={} if settings.webhooks is None else read_webhooks(settings.webhooks, environment or {}, feedback),
        links=None
        if seals is None
        else Links(
            seals=seals, workspace=standards.workspace, consents=consents_by(find), views=Views(fetch, made_links)
        ),
        extra_routers=[
            create_inbox_router(inboxes, admin),
            create_dead_letters_router(
                DeadLetters(LogReading(log), log, Screening(standards, metrics, random_id), asyncio.sleep), admin
            ),
            create_contacts_router(
                find,
                Readers(Tokens(settings.read_tokens), admin),
                Pace(READS_PER_SECOND),
                metrics,
            ),
        ],
    )
    return Standalone(
        app=app,
        credentials=credentials,
        journeys=tuple(f"{journey.id}@{journey.version}" for journey in definitions.journeys),
        database=database,
        log=log,
        deliveries=deliveries,
        evaluation=evaluation,
        dispatch=dispatch,
        clock=clock,
        speed=settings.speed,
        keys_file=keys_file,
    )


class _Server(uvicorn.Server):
    """A server whose signals end the host in order, with exit code 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, setattr, self, "should_exit", True)
        yield
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def serve(host: Standalone, listener: socket.socket) -> None:
    """Serve HTTP until SIGTERM or SIGINT; whatever was accepted is durable.

    ``listener`` is what ``listen`` returned. Raises what ended the work, if something did.
    """
    config = uvicorn.Config(
        host.app,
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        # Any program of this machine could say any address.
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    server = _Server(config)
    async with host.running() as work:
        work.add_done_callback(lambda _done: setattr(server, "should_exit", True))
        await server.serve([listener])
        if work.done():
            work.result()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to ``host`` and ``port`` (0: a free one). Raises ConfigurationError when it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, for asyncio turns off Nagle on such sockets alone: else each answer waits 40 ms for a delayed ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # From here on clients wait instead of being refused, also before the host is ready.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot serve on {host}:{port}: {error.strerror}; name another with --port"
        ) from error
    return listener


class _JourneyTime:
    """The log's clock, which the log itself is needed to set: the wall clock until then."""

    def __init__(self) -> None:
        self.clock: Clock = system_clock

    def __call__(self) -> int:
        return self.clock()


def _channels(settings: StandaloneSettings, environment: Mapping[str, str]) -> Mapping[str, Sequence[Lane[Provider]]]:
    """Return the providers of each channel that has some."""
    entries = {} if settings.providers is None else read_providers(settings.providers, environment)
    lanes = lanes_of_providers(entries, lambda _, rate: LocalRate(rate, system_clock))
    if settings.smtp is None:
        return lanes
    if "email" in entries:
        raise ConfigurationError(f"mails go by --smtp or by `email` in {settings.providers}: leave one of them out")
    email = EmailChannel(parse_smtp_url(settings.smtp), Mails(mail_settings(settings.email_from)))
    return {**lanes, "email": [Lane(email, WIDTH, name=email.id)]}


async def _ready() -> bool:
    return True
