"""The table of topics."""

from __future__ import annotations

from typing import get_args

from aiokafka.partitioner import DefaultPartitioner

from shared.clock import DAY
from shared.kafka.partition import partition_count, partition_of
from shared.messages.topics import CHANGELOG, DELIVERIES, EVENTS, EVENTS_DLQ, TOPICS, TopicName

BY_NAME = {topic.name: topic for topic in TOPICS}


def test_every_name_has_its_topic() -> None:
    assert set(get_args(TopicName)) == set(BY_NAME)
    assert len(BY_NAME) == len(TOPICS)


def test_the_broker_orders_the_events() -> None:
    """Log time is the broker's append time; a producer's clock decides nothing."""
    assert "LogAppendTime" == BY_NAME["events"].config()["message.timestamp.type"]
    assert {"CreateTime"} == {topic.config()["message.timestamp.type"] for topic in TOPICS if topic.name != "events"}


def test_what_is_a_table_is_compacted_and_the_rest_ages_out() -> None:
    compacted = {topic.name for topic in TOPICS if topic.config()["cleanup.policy"] == "compact"}
    assert {"deliveries", "journeys", "contacts-changelog"} == compacted
    assert {30} == {int(BY_NAME[name].config()["retention.ms"]) // DAY for name in (EVENTS, EVENTS_DLQ)}


def test_a_stale_writers_row_can_be_repaired_within_the_hour() -> None:
    lags = [BY_NAME[name].config()["min.compaction.lag.ms"] for name in (DELIVERIES, CHANGELOG)]
    assert min(int(lag) for lag in lags) >= 3_600_000


def test_keyed_topics_share_one_partition_count() -> None:
    """A contact's events, commands, rows and journal lie in the same partition number."""
    single = {topic.name for topic in TOPICS if partition_count(topic.name, 12) == 1}
    assert {"journeys", "events.dlq", "commands.dlq"} == single
    assert {12} == {partition_count(topic.name, 12) for topic in TOPICS if topic.name not in single}


def test_a_dead_letter_has_room_for_its_record() -> None:
    """Base64 in JSON makes a record of the largest size a third larger."""
    assert BY_NAME["events"].max_message_bytes * 4 / 3 < BY_NAME["events.dlq"].max_message_bytes
    assert BY_NAME["commands"].max_message_bytes * 4 / 3 < BY_NAME["commands.dlq"].max_message_bytes


def test_the_partition_of_a_key_is_kafkas() -> None:
    """The values are Java's: org.apache.kafka.common.utils.Utils.murmur2, as its own test has them."""
    choose = DefaultPartitioner()
    for number in range(200):
        key = f"u:{number}".encode()
        assert choose(key, list(range(12)), []) == partition_of(key, 12)
    assert [-973932308 & 0x7FFFFFFF, -790332482 & 0x7FFFFFFF] == [
        partition_of(b"21", 2**31),
        partition_of(b"foobar", 2**31),
    ]
