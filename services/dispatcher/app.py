"""The dispatcher on Kafka, put together."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence

import structlog

from services.dispatcher.channels.base import Provider
from services.dispatcher.channels.email import EmailChannel
from services.dispatcher.channels.mail import Mails, mail_settings
from services.dispatcher.channels.smtp import parse_smtp_url
from services.dispatcher.claims import connect
from services.dispatcher.connectors.file import lanes_of, read_connectors
from services.dispatcher.connectors.http import HttpSettings
from services.dispatcher.consumer import Dispatcher, Membership, make_consumer
from services.dispatcher.lanes import Lane
from services.dispatcher.orders import StoppedJourneys
from services.dispatcher.partition import OwnedPartition, Surroundings
from services.dispatcher.ports import Clocks
from services.dispatcher.providers import Limiter, ProviderEntry, read_providers
from services.dispatcher.providers import lanes_of as lanes_of_providers
from services.dispatcher.redis_rates import RedisRate
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.telemetry import MetricsTelemetry
from services.dispatcher.worker import WorkerLimits
from shared.composing.links import links_of
from shared.health import HealthServer
from shared.kafka.admin import ensure_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.metrics import Metrics

_LOG = structlog.get_logger(__name__)
# An idle session that says nothing, a new one, whom the message is from and for, a refusal: each may take its time-out
# before or after the message itself does. The ten seconds beside them are those of attachments.
_SMTP_STEPS = 4


Channels = Mapping[str, Sequence[Lane[Provider]]]


def make_channels(
    settings: DispatcherSettings, entries: Mapping[str, Sequence[ProviderEntry]], limiter: Limiter
) -> Channels:
    """Return the providers of each channel, best first; e-mail that ``entries`` lacks goes by ``KIKKAKE_SMTP_URL``.

    Raises ConfigurationError.
    """
    if "email" in entries:
        return lanes_of_providers(entries, limiter)
    server = parse_smtp_url(settings.smtp_url, timeout=settings.smtp_timeout, reply_timeout=settings.smtp_reply_timeout)
    email = EmailChannel(server, Mails(mail_settings(settings.email_from, settings.email_reply_to)))
    return {**lanes_of_providers(entries, limiter), "email": [Lane(email, settings.smtp_connections, name=email.id)]}


def _lease(
    settings: DispatcherSettings,
    asked: Mapping[str, HttpSettings],
    entries: Mapping[str, Sequence[ProviderEntry]],
) -> int:
    """Return how long one hand-over may take, in ms: longer than the slowest of them."""
    providers = [entry.settings.values for listed in entries.values() for entry in listed]
    longest = max(
        [
            _SMTP_STEPS * settings.smtp_timeout + settings.smtp_reply_timeout,
            *(it.timeout for it in asked.values()),
            *(_SMTP_STEPS * it.get("timeout", 0.0) + it.get("reply_timeout", 0.0) for it in providers),
        ]
    )
    return int((longest + 10) * 1000)


async def run(settings: DispatcherSettings, environment: Mapping[str, str], stop: asyncio.Event) -> None:
    """Dispatch until ``stop``; the secrets of connectors and providers come from ``environment``.

    Creates missing topics, so that the services may be started in any order.
    """
    asked = {} if settings.connectors is None else read_connectors(settings.connectors, environment)
    connectors = lanes_of(asked)
    await ensure_topics(settings)
    metrics = Metrics()
    redis = connect(settings.redis_url)
    entries = {} if settings.providers is None else read_providers(settings.providers, environment)
    channels = make_channels(
        settings, entries, lambda name, rate: RedisRate(redis, name, rate, prefix=settings.topic_prefix)
    )
    membership = Membership(int(settings.session_timeout * 1000))
    publisher = KafkaPublisher(
        settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        client_id="kikkake-dispatcher",
    )
    consumer = make_consumer(settings)
    telemetry = MetricsTelemetry(metrics)
    telemetry.watch(channels)
    orders = StoppedJourneys(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    around = Surroundings(
        consumer=consumer,
        publisher=publisher,
        reader=KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix),
        redis=redis,
        channels=channels,
        connectors=connectors,
        telemetry=telemetry,
        clocks=Clocks(),
        links=links_of(settings.seals(), settings.public_url, settings.unsubscribe_mail),
        prefix=settings.topic_prefix,
        limits=WorkerLimits(in_flight=settings.in_flight, waiting=settings.max_waiting),
        held=settings.max_held_bytes,
        lease=_lease(settings, asked, entries),
        owned=membership.valid,
        stopped=orders.stopped,
        new_token=lambda: secrets.token_hex(16),
    )
    dispatcher = Dispatcher(consumer, settings, membership, lambda number: OwnedPartition(number, around))

    async def ready() -> bool:
        return dispatcher.ready and await publisher.ready()

    health = HealthServer(ready, metrics.registry, host=settings.health_host, port=settings.health_port)
    await health.start()
    following: asyncio.Task[None] | None = None
    try:
        await orders.start()
        following = asyncio.create_task(orders.run())
        await consumer.start()
        _LOG.info("dispatcher.started", health_port=health.port)
        await dispatcher.run(stop)
    finally:
        await consumer.stop()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await orders.stop()
        await publisher.stop()
        await asyncio.gather(*[lane.provider.close() for lanes in channels.values() for lane in lanes])
        await asyncio.gather(*[lane.provider.close() for lane in connectors.values()])
        await redis.aclose()
        await health.stop()
        _LOG.info("dispatcher.stopped")
