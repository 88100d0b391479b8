"""Which partition a key belongs to."""

from __future__ import annotations

from aiokafka.partitioner import murmur2

from shared.messages.topics import TOPICS, Topic, TopicName

_TOPICS: dict[str, Topic] = {topic.name: topic for topic in TOPICS}


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of ``key`` as Kafka's own default partitioner chooses it."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def partition_count(topic: TopicName, partitions: int) -> int:
    """Return how many partitions ``topic`` has in a deployment whose keyed topics have ``partitions``."""
    return _TOPICS[topic].partitions or partitions
