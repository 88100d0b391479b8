"""``python -m services.ingest``: settings → create_app → uvicorn."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI

from services.ingest.admission import AddressRule
from services.ingest.app import create_app, random_id
from services.ingest.auth import Admin
from services.ingest.contacts import Readers, create_contacts_router, not_set_up
from services.ingest.dead_letter_routes import create_dead_letters_router
from services.ingest.dead_letters import DeadLetters
from services.ingest.evaluators import Evaluators
from services.ingest.gate import Bounds
from services.ingest.keys import KeyRing, plain_keys
from services.ingest.keys_watch import KeysFile
from services.ingest.link_routes import Links, consents_by
from services.ingest.links.views import Views
from services.ingest.origins import Origins
from services.ingest.pace import Pace
from services.ingest.rates import Rate
from services.ingest.screening import Screening, load_standards
from services.ingest.server import Server, config_of
from services.ingest.settings import IngestSettings
from services.ingest.webhooks.feedback_kinds import feedback_of
from services.ingest.webhooks.file import read_webhooks
from shared.clock import SECOND, system_clock
from shared.composing.links import links_of
from shared.entry import run_main
from shared.errors import ConfigurationError
from shared.kafka.admin import ensure_topics
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogRecord, LogUnavailableError
from shared.logs import configure_logging
from shared.memory import keep
from shared.messages.topics import COMMANDS
from shared.metrics import Metrics
from shared.tokens import Tokens

_GARBAGE = 50_000
"""Objects, some ten MB of them, that may wait in circles to be collected."""

_LOG = structlog.get_logger(__name__)


def build(settings: IngestSettings, draining: Callable[[], bool]) -> FastAPI:
    """Return the application over Kafka. Its lifespan starts the publisher and, after the last request, flushes it.

    ``draining`` true: /readyz says no. Raises ConfigurationError when there are no keys, and as ``read_keys`` does.
    """
    publisher = KafkaPublisher(
        settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        timeout=settings.publish_timeout,
        client_id="kikkake-ingest",
    )
    ring, watching = _keys(settings)

    token = settings.internal_token
    evaluators = None
    if token is not None:
        evaluators = Evaluators(settings.evaluators, token.get_secret_value(), settings.partitions)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await ensure_topics(settings)
            await publisher.start()
        except LogUnavailableError as error:
            # Not fatal: /readyz and 503 say so, and each publish tries again.
            _LOG.warning("ingest.log_unavailable", error=str(error))
        _LOG.info("ingest.started", host=settings.host, port=settings.port)
        watch = asyncio.create_task(watching()) if watching is not None else None
        try:
            yield
        finally:
            if watch is not None:
                watch.cancel()
            await publisher.stop()
            if evaluators is not None:
                await evaluators.stop()
            _LOG.info("ingest.stopped")

    async def ready() -> bool:
        return not draining() and await publisher.ready()

    metrics = Metrics()
    admin_token = None if settings.admin_token is None else settings.admin_token.get_secret_value()
    admin = Admin(admin_token, lambda: ring.keys.admins)
    readers = Readers(Tokens(token.get_secret_value() for token in settings.read_tokens), admin)
    find = not_set_up if evaluators is None else evaluators.find
    standards, seals = load_standards(settings.standards), settings.seals()
    feedback = None if seals is None else feedback_of(seals, metrics, system_clock)
    known = None if evaluators is None else consents_by(evaluators.find)
    return create_app(
        publisher=publisher,
        metrics=metrics,
        keys=ring,
        admin_token=admin_token,
        ready=ready,
        standards=standards,
        links=None
        if seals is None
        else Links(seals=seals, workspace=standards.workspace, consents=known, views=_views(settings)),
        hooks={} if settings.webhooks is None else read_webhooks(settings.webhooks, os.environ, feedback),
        bounds=Bounds(
            in_flight_bytes=settings.max_in_flight_bytes,
            requests=settings.max_requests,
            patience=round(settings.stall_timeout * SECOND),
        ),
        origins=Origins(settings.allowed_origins) if settings.allowed_origins else None,
        addresses=AddressRule(
            trusted=settings.trusted_proxies, header=settings.forwarded_header, policy=settings.client_ip
        ),
        extra_routers=[
            create_contacts_router(find, readers, Pace(settings.reads_per_second), metrics),
            create_dead_letters_router(
                DeadLetters(
                    KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix),
                    publisher,
                    Screening(standards, metrics, random_id),
                    asyncio.sleep,
                ),
                admin,
            ),
        ],
        lifespan=lifespan,
    )


def _views(settings: IngestSettings) -> Views:
    """Return what shows messages again: their commands are read from Kafka, one by one."""
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix, timeout=settings.publish_timeout)

    async def fetch(contact: str, offset: int) -> LogRecord | None:
        found = await reader.read(COMMANDS, partition_of(contact.encode(), settings.partitions), offset, 1)
        return found[0] if found else None

    return Views(fetch, links_of(settings.seals(), settings.public_url))


def _keys(settings: IngestSettings) -> tuple[KeyRing, Callable[[], Coroutine[Any, Any, None]] | None]:
    """Return the keys, and what keeps them as the file says, if there is one."""
    rate = Rate(per_second=settings.key_rate, burst=math.ceil(2 * settings.key_rate))
    plain = plain_keys(settings.write_keys, rate)
    if settings.keys_file is not None:
        file = KeysFile(settings.keys_file, plain.keys)
        return file.ring, file.watch
    if not settings.write_keys:
        raise ConfigurationError("nobody could send events: set KIKKAKE_WRITE_KEYS or KIKKAKE_KEYS_FILE")
    return plain, None


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = IngestSettings()
    configure_logging(settings.log_level, settings.log_format)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn handles them, and once it has shut down raises them again: asked to end is not a failure.
        signal.signal(number, lambda *_: sys.exit(0))
    app = build(settings, lambda: server.draining)
    config = config_of(app, host=settings.host, port=settings.port, shutdown_seconds=settings.shutdown_seconds)
    server = Server(config, delay=settings.shutdown_delay)
    keep()
    # What is there by now stays: no collection has to look through it again, which stops everything for tens of ms. And
    # what waits for Kafka is no garbage: by the standard of 700, each of a few requests looks through all of them.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    server.run()


if __name__ == "__main__":
    run_main(main)
