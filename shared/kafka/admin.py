"""Creates our topics and gives each partition its incarnation. The only thing that declares topics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4  # noqa: TID251 - an incarnation is random by definition

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from shared.errors import ConfigurationError
from shared.kafka.partition import partition_count
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogUnavailableError, Output
from shared.messages.topics import INCARNATION_KEY, TOPICS, Topic, TopicName
from shared.settings import KafkaSettings

_LOG = structlog.get_logger(__name__)
_NO_ERROR = 0
_ALREADY_EXISTS = 36
_PATIENCE = 30.0


def _random_incarnation() -> bytes:
    return uuid4().bytes


async def ensure_topics(settings: KafkaSettings, new_incarnation: Callable[[], bytes] = _random_incarnation) -> None:
    """Create what is missing of our topics, and write the first record of each partition that has none.

    Repeating is harmless, also when two run at once: the first incarnation in the log counts. An existing topic's
    configuration is left as it is. Raises ConfigurationError when a topic has another partition count or the broker
    refuses to create one, LogUnavailableError when no broker answers.
    """
    try:
        await _create_missing(settings)
    except (KafkaError, TimeoutError) as error:
        raise LogUnavailableError(f"the topics could not be created: {error!r}") from error
    await _write_incarnations(settings, new_incarnation)


async def require_topics(settings: KafkaSettings) -> None:
    """See that our topics exist with the partitions of ``settings``, for whoever only reads them.

    Raises ConfigurationError, or LogUnavailableError when no broker answers.
    """
    try:
        async with _admin(settings) as admin:
            existing = await _partition_counts(admin, settings)
    except (KafkaError, TimeoutError) as error:
        raise LogUnavailableError(f"the topics could not be listed: {error!r}") from error
    missing = [settings.topic_prefix + topic.name for topic in TOPICS if topic.name not in existing]
    if missing:
        raise ConfigurationError(
            f"{settings.kafka_bootstrap} has no topic {', '.join(missing)};"
            " set KIKKAKE_KAFKA_BOOTSTRAP and KIKKAKE_TOPIC_PREFIX as for the services"
        )
    _require_counts(existing, settings)


async def read_incarnations(settings: KafkaSettings, topic: TopicName) -> dict[int, str]:
    """Return the incarnation of each partition of ``topic``.

    A partition is missing if its first record has aged out. That cannot happen to a topic created within its
    retention, so a partition that is missing is still the one that its reader knows.
    """
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    firsts = await reader.firsts(topic, partition_count(topic, settings.partitions))
    return {
        partition: str(UUID(bytes=record.value))
        for partition, record in firsts.items()
        if record.key == INCARNATION_KEY and record.value is not None
    }


async def committed_offsets(settings: KafkaSettings, group: str, topic: TopicName) -> dict[int, int]:
    """Return what ``group`` has committed of ``topic``, by partition. Raises LogUnavailableError.

    A broker forgets it some days after the group's last member left, and when the topic is deleted.
    """
    try:
        async with _admin(settings) as admin:
            found = await admin.list_consumer_group_offsets(group)
    except (KafkaError, TimeoutError) as error:
        raise LogUnavailableError(f"the offsets of {group} could not be read: {error!r}") from error
    name = settings.topic_prefix + topic
    return {place.partition: int(at.offset) for place, at in found.items() if place.topic == name}


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=10_000)
    try:
        try:
            await admin.start()
        except (KafkaError, TimeoutError) as error:
            raise LogUnavailableError(
                f"no Kafka answers at {settings.kafka_bootstrap} (KIKKAKE_KAFKA_BOOTSTRAP)"
            ) from error
        yield admin
    finally:
        await admin.close()


async def _create_missing(settings: KafkaSettings) -> None:
    async with _admin(settings) as admin:
        existing = await _partition_counts(admin, settings)
        missing = [topic for topic in TOPICS if topic.name not in existing]
        if missing:
            answer: Any = await admin.create_topics([_new_topic(topic, settings) for topic in missing])
            _refuse_failures(answer.topic_errors)
            _LOG.info("topics.created", topics=[topic.name for topic in missing])
        async with asyncio.timeout(_PATIENCE):
            while len(existing) < len(TOPICS):
                await asyncio.sleep(0.1)
                existing = await _partition_counts(admin, settings)
    _require_counts(existing, settings)


def _require_counts(existing: Mapping[TopicName, int], settings: KafkaSettings) -> None:
    for topic in TOPICS:
        expected = partition_count(topic.name, settings.partitions)
        if existing[topic.name] != expected:
            raise ConfigurationError(
                f"topic {settings.topic_prefix}{topic.name} has {existing[topic.name]} partitions, but {expected} are"
                " configured (KIKKAKE_PARTITIONS). The count decides which contact is where, so it cannot be changed."
            )


def _new_topic(topic: Topic, settings: KafkaSettings) -> NewTopic:
    return NewTopic(
        settings.topic_prefix + topic.name,
        partition_count(topic.name, settings.partitions),
        settings.replication_factor,
        topic_configs=topic.config(),
    )


def _refuse_failures(errors: list[tuple[str, int, str | None]]) -> None:
    for name, code, message in errors:
        if code in (_NO_ERROR, _ALREADY_EXISTS):
            continue
        failure = for_code(code)
        if failure.retriable:
            raise failure(message or name)
        raise ConfigurationError(f"the broker refuses to create {name}: {message or failure.__name__}")


async def _partition_counts(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> dict[TopicName, int]:
    """Return the partition count of each of our topics that exists and has a leader everywhere."""
    names = {settings.topic_prefix + topic.name: topic.name for topic in TOPICS}
    counts: dict[TopicName, int] = {}
    # Asked for all topics: asking for one by name makes a broker with auto.create.topics.enable create it, wrongly.
    for described in await admin.describe_topics(None):
        partitions = described["partitions"]
        if described["topic"] in names and all(partition["error_code"] == _NO_ERROR for partition in partitions):
            counts[names[described["topic"]]] = len(partitions)
    return counts


async def _write_incarnations(settings: KafkaSettings, new_incarnation: Callable[[], bytes]) -> None:
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    firsts = [
        Output(topic=topic.name, key=INCARNATION_KEY, value=new_incarnation(), partition=partition)
        for topic in TOPICS
        for partition, end in (await reader.ends(topic.name, partition_count(topic.name, settings.partitions))).items()
        if end == 0
    ]
    if not firsts:
        return
    publisher = KafkaPublisher(
        settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions, timeout=_PATIENCE
    )
    try:
        await publisher.start()
        await publisher.publish(firsts)
    finally:
        await publisher.stop()
