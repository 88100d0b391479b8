"""``python -m services.ingest``: settings → create_app → uvicorn."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from services.ingest.app import create_app
from services.ingest.contacts import create_contacts_router, not_set_up
from services.ingest.evaluators import Evaluators
from services.ingest.pace import Pace
from services.ingest.plan import Limits
from services.ingest.settings import IngestSettings
from shared.entry import run_main
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.log import LogUnavailableError
from shared.logs import configure_logging
from shared.metrics import Metrics
from shared.tokens import Tokens

_LOG = structlog.get_logger(__name__)


def build(settings: IngestSettings) -> FastAPI:
    """Return the application over Kafka. Its lifespan starts the publisher and, after the last request, flushes it."""
    publisher = KafkaPublisher(
        settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        timeout=settings.publish_timeout,
        client_id="kikkake-ingest",
    )

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
        try:
            yield
        finally:
            await publisher.stop()
            if evaluators is not None:
                await evaluators.stop()
            _LOG.info("ingest.stopped")

    metrics = Metrics()
    admin = [] if settings.admin_token is None else [settings.admin_token]
    readers = Tokens(token.get_secret_value() for token in (*settings.read_tokens, *admin))
    find = not_set_up if evaluators is None else evaluators.find
    return create_app(
        publisher=publisher,
        metrics=metrics,
        write_keys=settings.write_keys,
        admin_token=None if settings.admin_token is None else settings.admin_token.get_secret_value(),
        ready=publisher.ready,
        limits=Limits(in_flight_bytes=settings.max_in_flight_bytes),
        extra_routers=[create_contacts_router(find, readers, Pace(settings.reads_per_second), metrics)],
        lifespan=lifespan,
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = IngestSettings()
    configure_logging(settings.log_level, settings.log_format)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn handles them, and once it has shut down raises them again: asked to end is not a failure.
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.run(
        build(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


if __name__ == "__main__":
    run_main(main)
