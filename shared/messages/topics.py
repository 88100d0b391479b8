"""The table of topics: their names, what keys them, and how long they keep what they hold."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.clock import DAY, HOUR

TopicName = Literal[
    "events",
    "commands",
    "cancels",
    "deliveries",
    "journal",
    "journeys",
    "contacts-changelog",
    "events.dlq",
    "commands.dlq",
]

EVENTS: TopicName = "events"
COMMANDS: TopicName = "commands"
CANCELS: TopicName = "cancels"
DELIVERIES: TopicName = "deliveries"
JOURNAL: TopicName = "journal"
JOURNEYS: TopicName = "journeys"
CHANGELOG: TopicName = "contacts-changelog"
EVENTS_DLQ: TopicName = "events.dlq"
COMMANDS_DLQ: TopicName = "commands.dlq"

INCARNATION_KEY = b"\x00incarnation"
"""Key of the first record of each partition: a random id that tells a recreated topic from the old one."""

_EPOCH_BYTES = 4 * 1024 * 1024


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. ``partitions`` None: the deployment's count; ``retention`` None: compacted, kept for ever."""

    name: TopicName
    retention: int | None
    partitions: int | None = None
    append_time: bool = False
    max_message_bytes: int = 1024 * 1024
    min_compaction_lag: int | None = None

    def config(self) -> dict[str, str]:
        """Return the broker's settings for this topic."""
        settings = {
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.retention is None:
            settings["cleanup.policy"] = "compact"
            if self.min_compaction_lag is not None:
                settings["min.compaction.lag.ms"] = str(self.min_compaction_lag)
        else:
            settings["cleanup.policy"] = "delete"
            settings["retention.ms"] = str(self.retention)
        return settings


TOPICS: tuple[Topic, ...] = (
    # 30 days of events is the replay window. Append time: the broker's clock orders the log, not the producers'.
    Topic(name=EVENTS, retention=30 * DAY, append_time=True),
    Topic(name=COMMANDS, retention=7 * DAY),
    Topic(name=CANCELS, retention=7 * DAY),
    # A repair must find the good row still there after a stale writer's: nothing is compacted within the hour.
    Topic(name=DELIVERIES, retention=None, min_compaction_lag=HOUR),
    Topic(name=JOURNAL, retention=400 * DAY),
    # A partition takes in every order, also those that a later one has overtaken: what was stopped and published again
    # has been stopped. One that nobody has owned for longer than this has lost events as well.
    Topic(name=JOURNEYS, retention=None, partitions=1, min_compaction_lag=30 * DAY),
    # One epoch is one record batch, so the topic must take the largest epoch whole.
    Topic(name=CHANGELOG, retention=None, max_message_bytes=_EPOCH_BYTES, min_compaction_lag=HOUR),
    Topic(name=EVENTS_DLQ, retention=30 * DAY, partitions=1, max_message_bytes=2 * 1024 * 1024),
    Topic(name=COMMANDS_DLQ, retention=30 * DAY, partitions=1, max_message_bytes=2 * 1024 * 1024),
)

_BY_NAME = {topic.name: topic for topic in TOPICS}


def max_record_bytes(topic: TopicName) -> int:
    """Return the size above which the broker refuses a record of ``topic``."""
    return _BY_NAME[topic].max_message_bytes
