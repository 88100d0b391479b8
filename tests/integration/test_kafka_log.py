"""What only a real Kafka shows: topics and their incarnations, gaps between offsets, brokers that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.fetch import FetchRequest

from shared.errors import ConfigurationError
from shared.kafka.admin import ensure_topics, read_incarnations, require_topics
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import LogUnavailableError, Output, RecordTooLargeError
from shared.messages.topics import EVENTS, INCARNATION_KEY, TOPICS
from shared.settings import KafkaSettings
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(kafka_server: KafkaServer) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap=kafka_server.bootstrap, topic_prefix=f"k-{uuid4().hex}.", partitions=2)


@pytest.fixture
async def publisher(settings: KafkaSettings) -> AsyncIterator[KafkaPublisher]:
    found = a_publisher(settings)
    yield found
    await found.stop()


@pytest.fixture
def own_server(kafka_server: KafkaServer) -> Iterator[KafkaServer]:
    """A broker that this test may kill; the shared one only says whether Kafka can run here."""
    with KafkaServer() as server:
        yield server


def a_publisher(settings: KafkaSettings, timeout: float = 5.0) -> KafkaPublisher:
    return KafkaPublisher(
        settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=settings.partitions, timeout=timeout
    )


def a_reader(settings: KafkaSettings) -> KafkaLogReader:
    return KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)


def an_output(value: bytes, *, partition: int = 0) -> Output:
    return Output(topic=EVENTS, key=b"k", value=value, partition=partition)


async def values(settings: KafkaSettings, partition: int = 0) -> list[bytes | None]:
    batches = a_reader(settings).read_all(EVENTS, partition)
    return [record.value async for batch in batches for record in batch if record.key != INCARNATION_KEY]


class TestTopics:
    async def test_they_are_as_the_table_says(self, settings: KafkaSettings) -> None:
        await ensure_topics(settings)
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        try:
            for topic in TOPICS:
                name = settings.topic_prefix + topic.name
                wanted = dict.fromkeys(topic.config(), "")
                (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name, wanted)])
                assert topic.config() == {entry[0]: entry[1] for entry in answer.resources[0][4]}
        finally:
            await admin.close()

    async def test_each_partition_starts_with_its_incarnation(self, settings: KafkaSettings) -> None:
        """A recreated topic is told from the old one, whose offsets mean something else."""
        await ensure_topics(settings)
        found = await read_incarnations(settings, EVENTS)
        assert {0, 1} == set(found)
        assert {4} == {UUID(value).version for value in found.values()}
        (first,) = await a_reader(settings).read(EVENTS, 1, 0, 10)
        assert (0, INCARNATION_KEY) == (first.offset, first.key)

    async def test_creating_them_again_changes_nothing(self, settings: KafkaSettings) -> None:
        await ensure_topics(settings)
        before = {topic.name: await read_incarnations(settings, topic.name) for topic in TOPICS}
        await asyncio.gather(ensure_topics(settings), ensure_topics(settings))
        assert before == {topic.name: await read_incarnations(settings, topic.name) for topic in TOPICS}
        assert 1 == await a_reader(settings).end(EVENTS, 0)

    async def test_two_that_create_at_once_agree(self, settings: KafkaSettings) -> None:
        await asyncio.gather(ensure_topics(settings), ensure_topics(settings))
        assert {0, 1} == set(await read_incarnations(settings, EVENTS))

    async def test_who_only_reads_creates_none(self, settings: KafkaSettings) -> None:
        """A wrong prefix or count would else record nothing, or half of it, without a word."""
        with pytest.raises(ConfigurationError, match=r"has no topic .*events, .*KIKKAKE_TOPIC_PREFIX"):
            await require_topics(settings)
        await ensure_topics(settings)
        await require_topics(settings)
        with pytest.raises(ConfigurationError, match="2 partitions, but 3"):
            await require_topics(settings.model_copy(update={"partitions": 3}))

    async def test_another_partition_count_is_refused(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        """With it, a contact's records would go to another partition than its state."""
        await ensure_topics(settings)
        other = settings.model_copy(update={"partitions": 3})
        with pytest.raises(ConfigurationError, match="2 partitions, but 3"):
            await ensure_topics(other)
        wrong = a_publisher(other)
        with pytest.raises(ConfigurationError, match="KIKKAKE_PARTITIONS"):
            await wrong.publish([an_output(b"x")])
        await wrong.stop()
        assert [] == await values(settings)

    async def test_what_the_broker_refuses_is_said(self, settings: KafkaSettings) -> None:
        with pytest.raises(ConfigurationError, match="eplication factor"):
            await ensure_topics(settings.model_copy(update={"replication_factor": 3}))

    async def test_an_incarnation_that_aged_out_is_missing(self, settings: KafkaSettings) -> None:
        await ensure_topics(settings)
        publisher = a_publisher(settings)
        await publisher.publish([an_output(b"x")])
        await publisher.stop()
        await delete_before(settings, EVENTS, 1)
        assert {1} == set(await read_incarnations(settings, EVENTS))


async def delete_before(settings: KafkaSettings, topic: str, offset: int) -> None:
    """Delete what is before ``offset`` in partition 0, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        place = TopicPartition(settings.topic_prefix + topic, 0)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


class TestReader:
    async def test_it_passes_over_what_aged_out(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        await ensure_topics(settings)
        await publisher.publish([an_output(str(number).encode()) for number in range(10)])
        await delete_before(settings, EVENTS, 6)
        assert [b"5", b"6", b"7", b"8", b"9"] == await values(settings)
        assert [6, 7] == [record.offset for record in await a_reader(settings).read(EVENTS, 0, 0, 2)]

    async def test_everything_aged_out_is_an_empty_read(
        self, settings: KafkaSettings, publisher: KafkaPublisher
    ) -> None:
        await ensure_topics(settings)
        await publisher.publish([an_output(b"x")])
        await delete_before(settings, EVENTS, 2)
        async with asyncio.timeout(10):
            assert [] == await values(settings)

    async def test_it_ends_behind_a_gap_at_the_end(self, settings: KafkaSettings) -> None:
        """A transaction's end is an offset without a record: one that waits for the last record waits for ever."""
        await ensure_topics(settings)
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, transactional_id=uuid4().hex)
        await producer.start()
        async with producer.transaction():
            await producer.send(settings.topic_prefix + EVENTS, b"x", b"k", 0)
        await producer.stop()
        async with asyncio.timeout(10):
            # The broker writes the marker after it has answered.
            while (end := await a_reader(settings).end(EVENTS, 0)) < 3:
                await asyncio.sleep(0.05)
            assert [b"x"] == await values(settings)
            assert 3 == end
            assert [] == await a_reader(settings).read(EVENTS, 0, end - 1, 10)

    async def test_the_next_fetch_is_under_way_while_one_is_worked_on(
        self, settings: KafkaSettings, publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or the reader and the broker would wait for each other in turn: a restore takes a quarter longer."""
        await ensure_topics(settings)
        await publisher.publish([an_output(b"x" * 900_000)] * 11)
        fetches: list[object] = []
        send = AIOKafkaConnection.send

        def counting(self: AIOKafkaConnection, request: object, **how: bool) -> object:
            if isinstance(request, FetchRequest):
                fetches.append(request)
            return send(self, request, **how)

        monkeypatch.setattr(AIOKafkaConnection, "send", counting)
        found = [len(fetches) async for _ in a_reader(settings).read_all(EVENTS, 0)]
        assert [2, 3, 4] == found[:3]

    async def test_it_reads_a_large_partition_whole(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        await ensure_topics(settings)
        expected = [str(number).encode() * 200 for number in range(10_000)]
        await publisher.publish([an_output(value) for value in expected])
        assert expected == await values(settings)


class TestPublisher:
    async def test_a_record_that_is_too_large_harms_itself_only(
        self, settings: KafkaSettings, publisher: KafkaPublisher
    ) -> None:
        """Refused by the broker, it would leave a gap in the sequence, and the producer would never write again."""
        await ensure_topics(settings)
        with pytest.raises(RecordTooLargeError):
            await publisher.publish([an_output(b"small"), an_output(b"x" * 1024 * 1024)])
        largest = b"x" * (1024 * 1024 - 300)
        await publisher.publish([an_output(largest)])
        assert [largest] == await values(settings)

    async def test_a_producer_that_failed_for_good_is_replaced(
        self, settings: KafkaSettings, publisher: KafkaPublisher
    ) -> None:
        """Here a topic's limit was lowered behind our back: the batch is refused, and the sequence has its gap."""
        await ensure_topics(settings)
        name = settings.topic_prefix + EVENTS
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": "2000"})])
        await admin.close()
        with pytest.raises(LogUnavailableError):
            await publisher.publish([an_output(b"x" * 5000)])
        for number in range(3):
            await publisher.publish([an_output(str(number).encode())])
        assert [b"0", b"1", b"2"] == await values(settings)

    async def test_many_at_once_stay_in_their_order(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        await ensure_topics(settings)
        mine = [[an_output(f"{caller}:{number}".encode()) for number in range(200)] for caller in range(20)]
        await asyncio.gather(*[publisher.publish(outputs) for outputs in mine])
        found = await values(settings)
        for outputs in mine:
            wanted = [output.value for output in outputs]
            assert wanted == [value for value in found if value in set(wanted)]

    async def test_what_fills_several_batches_stays_in_its_order(
        self, settings: KafkaSettings, publisher: KafkaPublisher
    ) -> None:
        """Also a record that is larger than a batch, and what goes elsewhere in between."""
        await ensure_topics(settings)
        wanted = [str(number).encode().ljust(1_000) for number in range(600)]
        wanted[300:300] = [b"x" * 300_000]
        outputs = [an_output(value) for value in wanted]
        outputs[200:200] = [an_output(b"elsewhere", partition=1)]
        await publisher.publish(outputs)
        assert wanted == await values(settings)
        assert [b"elsewhere"] == await values(settings, 1)

    async def test_after_stop_nothing_is_taken(self, settings: KafkaSettings, publisher: KafkaPublisher) -> None:
        await publisher.stop()
        with pytest.raises(LogUnavailableError):
            await publisher.publish([an_output(b"x")])
        assert not await publisher.ready()

    async def test_a_topic_that_is_missing_is_unavailable(
        self, settings: KafkaSettings, publisher: KafkaPublisher
    ) -> None:
        started = time.monotonic()
        with pytest.raises(LogUnavailableError):
            await publisher.publish([an_output(b"x")])
        assert time.monotonic() - started < 8

    @pytest.mark.long
    async def test_a_broker_that_comes_later(self, own_server: KafkaServer) -> None:
        """No broker at the start is no end: the first publish after its coming is taken."""
        settings = KafkaSettings(kafka_bootstrap=own_server.bootstrap, partitions=2)
        await ensure_topics(settings)
        own_server.kill()
        publisher = a_publisher(settings, timeout=2)
        with pytest.raises(LogUnavailableError):
            await publisher.start()
        with pytest.raises(LogUnavailableError):
            await publisher.publish([an_output(b"lost")])
        assert not await publisher.ready()
        await asyncio.to_thread(own_server.start)
        await publisher.publish([an_output(b"x")])
        assert await publisher.ready()
        await publisher.stop()
        assert [b"x"] == await values(settings)

    async def test_a_broker_that_hangs_is_reported_and_what_was_acknowledged_stays(
        self, own_server: KafkaServer
    ) -> None:
        """A hung broker takes connections and answers nothing; awake again, it may hold what was reported as failed."""
        settings = KafkaSettings(kafka_bootstrap=own_server.bootstrap, partitions=2)
        await ensure_topics(settings)
        publisher = a_publisher(settings, timeout=2)
        await publisher.publish([an_output(b"before")])
        pid = own_server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(LogUnavailableError):
                await publisher.publish([an_output(b"maybe")])
            assert time.monotonic() - started < 3
        finally:
            os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 20
        while True:
            try:
                await publisher.publish([an_output(b"after")])
                break
            except LogUnavailableError:
                assert time.monotonic() < deadline
        await publisher.stop()
        found = await values(settings)
        assert [b"before", b"after"] == [value for value in dict.fromkeys(found) if value != b"maybe"]

    async def test_stopping_without_a_broker_ends(self, own_server: KafkaServer) -> None:
        """Or aiokafka's own stop would wait for ever for the broker to come back."""
        settings = KafkaSettings(kafka_bootstrap=own_server.bootstrap, partitions=2)
        await ensure_topics(settings)
        publisher = a_publisher(settings, timeout=2)
        await publisher.start()
        own_server.kill()
        with pytest.raises(LogUnavailableError):
            await publisher.publish([an_output(b"x")])
        started = time.monotonic()
        await publisher.stop()
        assert time.monotonic() - started < 8
        assert [asyncio.current_task()] == list(asyncio.all_tasks())


async def test_an_ordinary_consumer_sees_the_append_time(settings: KafkaSettings, publisher: KafkaPublisher) -> None:
    """The broker stamps the events; the other topics keep their producers' time."""
    await ensure_topics(settings)
    await publisher.publish([an_output(b"x")])
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap)
    await consumer.start()
    place = TopicPartition(settings.topic_prefix + EVENTS, 0)
    consumer.assign([place])
    consumer.seek(place, 1)
    record = await consumer.getone()
    await consumer.stop()
    assert 1 == record.timestamp_type
