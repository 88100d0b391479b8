"""The Faust transport against a real Apache Kafka: each worker is a process of its own (transport_worker.py)."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration

PARTITIONS = 4
ROOT = Path(__file__).parents[2]
SESSION = 6_000  # ms, the least that Kafka takes by default (group.min.session.timeout.ms)

Line = dict[str, Any]


class Worker:
    """One worker process and what it wrote down."""

    def __init__(self, log: Path, args: dict[str, Any]) -> None:
        self.log = log
        self.started = time.monotonic()
        with log.with_suffix(".stderr").open("ab") as stderr:
            command = [sys.executable, "-m", "tests.integration.transport_worker", json.dumps(args)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=stderr, stderr=stderr)

    def lines(self, kind: str) -> list[Line]:
        """What this process wrote down of this kind; the file may hold an earlier process's lines too."""
        if not self.log.exists():
            return []
        whole = self.log.read_bytes().rpartition(b"\n")[0].splitlines()
        return [it for it in map(json.loads, whole) if it["kind"] == kind and it["pid"] == self.process.pid]

    def values(self, partition: int | None = None) -> list[int]:
        """The values of all records it was given, in order of delivery."""
        batches = [it for it in self.lines("batch") if partition in (None, it["partition"])]
        return [value for it in batches for value in it["values"]]

    def wait(self, condition: Callable[[], Any], timeout: float = 20.0) -> Any:
        """Wait until ``condition`` holds, and return what it returned."""
        deadline = time.monotonic() + timeout
        while not (result := condition()):
            errors = self.log.with_suffix(".stderr").read_text()[-3000:]
            assert self.process.poll() is None, f"the worker ended by itself:\n{errors}"
            assert time.monotonic() < deadline, f"not in {timeout} s; the worker said:\n{errors}"
            time.sleep(0.02)
        return result

    def end(self, how: signal.Signals) -> int:
        """Signal the process and return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(15)


class Group:
    """One topic and the workers of one group that read it."""

    def __init__(self, kafka: KafkaServer, folder: Path) -> None:
        name = f"transport-{uuid.uuid4().hex[:8]}"
        self.topic = self.name = name
        self.bootstrap = kafka.bootstrap
        self._folder = folder
        self.workers: list[Worker] = []

    def start(self, log: str = "worker", **args: Any) -> Worker:
        path = self._folder / f"{log}.jsonl"
        common = {"out": str(path), "group": self.name, "topic": self.topic, "bootstrap": self.bootstrap}
        self.workers.append(Worker(path, {**common, "session_timeout": SESSION, **args}))
        return self.workers[-1]

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        configs = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1, topic_configs=configs)])
        await admin.close()

    async def produce(self, values: range) -> None:
        """Write these numbers, number n to partition n mod 4."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5, max_batch_size=256 * 1024)
        await producer.start()
        sent = [await producer.send(self.topic, b"%d" % it, partition=it % PARTITIONS) for it in values]
        await asyncio.gather(*sent)
        await producer.stop()

    async def committed(self) -> dict[int, int | None]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.name, enable_auto_commit=False)
        await consumer.start()
        tps = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        found = {tp.partition: await consumer.committed(tp) for tp in tps}
        await consumer.stop()
        return found

    async def commit(self, offset: int) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.name, enable_auto_commit=False)
        await consumer.start()
        tps = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.commit(dict.fromkeys(tps, offset))
        await consumer.stop()


@pytest.fixture
async def group(kafka_server: KafkaServer, tmp_path: Path) -> Any:
    made = Group(kafka_server, tmp_path)
    await made.create()
    yield made
    for worker in made.workers:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
            worker.end(signal.SIGKILL)


def expected(partition: int, values: range) -> list[int]:
    return [it for it in values if it % PARTITIONS == partition]


def from_start() -> dict[str, int]:
    return {str(partition): 0 for partition in range(PARTITIONS)}


async def test_each_record_comes_once_and_in_order(group: Group, capsys: pytest.CaptureFixture[str]) -> None:
    values = range(50_000)
    await group.produce(values)
    worker = group.start()
    worker.wait(lambda: len(worker.values()) >= len(values))
    for partition in range(PARTITIONS):
        assert expected(partition, values) == worker.values(partition)
    batches = worker.lines("batch")
    assert all(it["highwater"] == len(values) // PARTITIONS for it in batches)
    assert all(abs(it["timestamps"][0] / 1000 - time.time()) < 60 for it in batches)
    span = batches[-1]["at"] - batches[0]["began"]
    with capsys.disabled():
        first = batches[0]["began"] - worker.started
        print(
            f"\n  raw: {len(values) / span:,.0f} ev/s in {len(batches)} batches; first batch {first:.2f} s after start"
        )


async def test_batches_say_how_far_behind_they_are(group: Group) -> None:
    worker = group.start(at=from_start())
    worker.wait(lambda: worker.lines("assigned"))
    await group.produce(range(100))
    worker.wait(lambda: len(worker.values()) >= 100)
    for partition in range(PARTITIONS):
        last = [it for it in worker.lines("batch") if it["partition"] == partition][-1]
        assert last["offsets"][-1] + 1 == last["highwater"]


async def test_killed_worker_goes_on_where_it_is_told(group: Group, capsys: pytest.CaptureFixture[str]) -> None:
    values = range(20_000)
    await group.produce(values)
    first = group.start("first", instance_id="a", slow=0.02, max_poll_records=200)
    first.wait(lambda: len(first.values()) >= 4_000)
    first.end(signal.SIGKILL)
    seen = {partition: first.values(partition) for partition in range(PARTITIONS)}
    # As from the state that a real handler restores: right after what it had finished.
    at = {str(partition): len(done) for partition, done in seen.items()}
    second = group.start("second", instance_id="a", at=at)
    second.wait(lambda: len(second.values()) >= len(values) - sum(map(len, seen.values())))
    for partition in range(PARTITIONS):
        assert expected(partition, values) == seen[partition] + second.values(partition)
    with capsys.disabled():
        seconds = second.lines("batch")[0]["began"] - second.started
        print(f"\n  kill -9, static id: {seconds:.2f} s from restart to first batch")


async def test_partitions_are_split_and_never_worked_on_twice(group: Group, capsys: pytest.CaptureFixture[str]) -> None:
    values = range(40_000)
    await group.produce(values)
    first = group.start("first", at=from_start(), slow=0.05, max_poll_records=100)
    first.wait(lambda: len(first.values()) >= 2_000)
    second = group.start("second", slow=0.05, max_poll_records=100)
    second.wait(lambda: len(second.values()) >= 1_000)
    first.wait(lambda: len(first.lines("assigned")) >= 2 and len(first.values()) >= 6_000)
    revoked, resumed = first.lines("revoked")[0], first.lines("assigned")[-1]
    assert 2 == len(resumed["partitions"]) == len(second.lines("assigned")[-1]["partitions"])
    assert set(range(PARTITIONS)) == {*resumed["partitions"], *second.lines("assigned")[-1]["partitions"]}
    assert 1 == resumed["memberships"]
    assert resumed["partitions"] == resumed["kept"], "the first stayed a member throughout: what it kept is still right"
    for batch in first.lines("batch"):
        moved = batch["partition"] not in resumed["partitions"]
        assert not (moved and batch["at"] > revoked["at"]), "worked on after it was given up"
        assert not revoked["at"] < batch["began"] < resumed["at"], "worked on during the rebalance"
    for partition in second.lines("assigned")[-1]["partitions"]:
        both = first.values(partition) + second.values(partition)
        # The second was given no offset: it went on at what the first had committed when it drained.
        assert expected(partition, values)[: len(both)] == both
    after = [it for it in first.lines("batch") if it["began"] > revoked["at"]]
    with capsys.disabled():
        print(f"\n  rebalance: {after[0]['began'] - revoked['at']:.2f} s without work at the member that stays")


async def test_rebalance_during_a_restore_starts_it_anew(group: Group) -> None:
    values = range(4_000)
    await group.produce(values)
    first = group.start("first", at=from_start(), restore=2.0)
    first.wait(lambda: first.lines("assigned"))
    second = group.start("second", at=from_start())
    first.wait(lambda: len(first.values()) + len(second.values()) >= len(values))
    kinds = [(it["kind"], len(it["partitions"])) for kind in ("assigned", "restored") for it in first.lines(kind)]
    assert [("assigned", 4), ("assigned", 2), ("restored", 2)] == kinds
    assert 1 == len(first.lines("revoked")), "it is told that it lost what it had begun to restore"
    for partition in range(PARTITIONS):
        assert expected(partition, values) == first.values(partition) + second.values(partition)


async def test_sigterm_drains_and_commits(group: Group, capsys: pytest.CaptureFixture[str]) -> None:
    values = range(20_000)
    await group.produce(values)
    first = group.start("first", instance_id="a", at=from_start(), slow=0.05, max_poll_records=200)
    first.wait(lambda: len(first.values()) >= 3_000)
    began = time.monotonic()
    assert first.end(signal.SIGTERM) == 0
    took = time.monotonic() - began
    done = {partition: len(first.values(partition)) for partition in range(PARTITIONS)}
    assert await group.committed() == done
    second = group.start("second", instance_id="a")
    second.wait(lambda: len(second.values()) >= len(values) - sum(done.values()))
    for partition in range(PARTITIONS):
        assert expected(partition, values) == first.values(partition) + second.values(partition)
    with capsys.disabled():
        print(f"\n  SIGTERM: {took:.2f} s to drain, commit and end")


@pytest.mark.long
async def test_stopped_worker_wakes_without_its_lease(group: Group) -> None:
    worker = group.start(at=from_start(), watch_lease=True)
    worker.wait(lambda: worker.lines("lease")[-1:] and worker.lines("lease")[-1]["valid"])
    worker.wait(lambda: worker.lines("assigned"))
    worker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep((SESSION + 2_000) / 1000)  # also past the session: the group has put it out
    worker.process.send_signal(signal.SIGCONT)
    woken = worker.wait(lambda: [it for it in worker.lines("lease") if it["gap"] > SESSION / 1000])
    assert not woken[0]["valid"], "the first look after waking must not find a lease"
    again = worker.wait(lambda: worker.lines("assigned")[1:])
    assert (2, []) == (again[0]["memberships"], again[0]["kept"]), "it had been out: what it kept is not to be trusted"
    await group.produce(range(100))
    worker.wait(lambda: len(worker.values()) >= 100)
    assert worker.lines("lease")[-1]["valid"]


@pytest.mark.parametrize("committed", [None, 10, 900, 5_000])
async def test_start_offset_overrides_the_committed_one(group: Group, committed: int | None) -> None:
    values = range(4_000)
    await group.produce(values)
    if committed is not None:
        await group.commit(committed)
    worker = group.start(at={str(partition): 500 for partition in range(PARTITIONS)})
    worker.wait(lambda: len(worker.values()) >= 2_000)
    for partition in range(PARTITIONS):
        assert expected(partition, values)[500:] == worker.values(partition)
    assert worker.end(signal.SIGTERM) == 0
    assert await group.committed() == dict.fromkeys(range(PARTITIONS), 1_000)


async def test_start_offset_beyond_the_log_stops_the_worker(group: Group) -> None:
    worker = group.start(at={str(partition): 1 for partition in range(PARTITIONS)})
    assert worker.process.wait(20) == 70
    assert "StartOffsetError" in worker.log.with_suffix(".stderr").read_text()


async def test_failing_handler_ends_the_process_and_commits_nothing_of_it(group: Group) -> None:
    await group.produce(range(8_000))
    worker = group.start(at=from_start(), fail_at=1_500, max_poll_records=200)
    assert worker.process.wait(20) == 70
    assert all(offset is None or offset <= 1_500 for offset in (await group.committed()).values())


async def test_stuck_partition_holds_up_only_itself(group: Group) -> None:
    values = range(40_000)
    worker = group.start(at=from_start(), stuck=1, max_poll_records=500)
    await group.produce(values)
    others = [it for it in values if it % PARTITIONS != 1]
    worker.wait(lambda: len(worker.values()) >= len(others))
    assert worker.values(1) == []
    assert sorted(worker.values()) == others
