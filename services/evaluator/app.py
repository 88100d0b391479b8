"""Composition root of the evaluator on Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.rows import MemoryRows
from services.evaluator.lease import Lease
from services.evaluator.owned import OwnedPartitions
from services.evaluator.queries import query_routes
from services.evaluator.settings import EvaluatorSettings
from services.evaluator.transport import EvaluatorApp, create_app
from shared.clock import SECOND
from shared.health import HealthServer
from shared.journeys.files import load_definitions
from shared.kafka.admin import ensure_topics
from shared.messages.topics import EVENTS
from shared.metrics import Metrics

_HEARTBEATS = 10
"""Heartbeats in one session: five may be lost before the lease, half a session, ends."""


def build(settings: EvaluatorSettings) -> EvaluatorApp:
    """Return the worker of ``settings``. Creates missing topics. Raises ConfigurationError, JourneyFaultsError."""
    base = load_definitions(settings.journeys)
    asyncio.run(ensure_topics(settings))
    metrics = Metrics()
    lease = Lease(int(settings.session_timeout * SECOND))
    settings.data.mkdir(parents=True, exist_ok=True)
    folder = StateFolder(settings.data / "state") if settings.state == "disk" else None
    owned = OwnedPartitions(settings, base, lease, metrics, MemoryRows if folder is None else folder.open)
    return create_app(
        group=settings.evaluator_group,
        bootstrap=settings.kafka_bootstrap,
        topic=settings.topic_prefix + EVENTS,
        handler=owned,
        lease=lease,
        datadir=settings.data,
        instance_id=settings.evaluator_instance,
        standby_replicas=settings.standby_replicas,
        heartbeat_interval=int(settings.session_timeout * SECOND) // _HEARTBEATS,
        max_poll_records=settings.evaluator_batch,
        lifespan=_lifespan(settings, owned, metrics),
    )


@contextlib.asynccontextmanager
async def _lifespan(settings: EvaluatorSettings, owned: OwnedPartitions, metrics: Metrics) -> AsyncIterator[None]:
    token = settings.internal_token
    health = HealthServer(
        owned.ready,
        metrics.registry,
        host=settings.health_host,
        port=settings.health_port,
        more=[] if token is None else query_routes(owned.held, token.get_secret_value()),
    )
    async with owned.running():
        await health.start()
        try:
            yield
        finally:
            await health.stop()
