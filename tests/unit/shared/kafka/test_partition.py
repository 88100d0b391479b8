"""Which partition a key belongs to: the one that every Kafka producer chooses."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka.partition import murmur2, partition_of


@given(st.binary(max_size=64))
def test_the_hash_is_kafkas(data: bytes) -> None:
    assert reference(data) == murmur2(data)


def test_known_partitions() -> None:
    """As Apache Kafka's own UtilsTest has the hashes (murmur2 of "21" and of "foobar"), and 12 partitions."""
    assert [-973932308 & 0xFFFFFFFF, -790332482 & 0xFFFFFFFF] == [murmur2(b"21"), murmur2(b"foobar")]
    assert (murmur2(b"u:u1") & 0x7FFFFFFF) % 12 == partition_of(b"u:u1", 12)
