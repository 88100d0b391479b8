"""Ingest as it runs in production: its own process, real HTTP, a real Apache Kafka that dies and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from shared.kafka.admin import ensure_topics
from shared.kafka.partition import partition_of
from shared.kafka.publisher import KafkaPublisher
from shared.kafka.reader import KafkaLogReader
from shared.log import Output
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import Event
from shared.messages.topics import EVENTS, EVENTS_DLQ, INCARNATION_KEY
from shared.settings import KafkaSettings
from tests.builders import an_event, at
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PARTITIONS = 4


class Ingest:
    """``python -m services.ingest`` in front of one Kafka."""

    def __init__(self, settings: KafkaSettings, **more: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        environment = {
            **os.environ,
            "KIKKAKE_PORT": str(port),
            "KIKKAKE_WRITE_KEYS": "WK, WK2",
            "KIKKAKE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "KIKKAKE_TOPIC_PREFIX": settings.topic_prefix,
            "KIKKAKE_PARTITIONS": str(settings.partitions),
            **more,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )

    async def until(self, path: str, status: int, within: float = 20) -> None:
        """Return once ``path`` answers ``status``; fail after ``within`` seconds."""
        deadline = time.monotonic() + within
        async with self.client() as http:
            while True:
                try:
                    if (await http.get(path)).status_code == status:
                        return
                except httpx2.TransportError:
                    assert self.process.poll() is None, "ingest ended while starting"
                assert time.monotonic() < deadline, f"{path} did not answer {status} in {within} s"
                await asyncio.sleep(0.05)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, auth=("WK", ""), timeout=15)

    def end(self) -> str:
        """Send SIGTERM, and return what it logged once it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def settings(kafka_server: KafkaServer) -> KafkaSettings:
    prefix = f"ingest-{uuid4().hex}."
    return KafkaSettings(kafka_bootstrap=kafka_server.bootstrap, topic_prefix=prefix, partitions=PARTITIONS)


@pytest.fixture
def mortal_server(kafka_server: KafkaServer) -> Iterator[KafkaServer]:
    """A broker that this test may kill; the shared one only says whether Kafka can run here."""
    with KafkaServer() as server:
        yield server


def a_track(user: str, message_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "X", "userId": user, "messageId": message_id, **fields}


async def stored(settings: KafkaSettings) -> dict[int, list[tuple[bytes | None, Event]]]:
    """Return the events of each partition with their keys."""
    reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
    found: dict[int, list[tuple[bytes | None, Event]]] = {}
    for partition in range(PARTITIONS):
        records = [record async for batch in reader.read_all(EVENTS, partition) for record in batch]
        events = [(it.key, codec.EVENTS.decode(it.value)) for it in records if it.key != INCARNATION_KEY]
        found[partition] = [(key, event) for key, event in events if isinstance(event, Event)]
    return found


async def test_what_comes_in_lies_in_its_contacts_partition(settings: KafkaSettings) -> None:
    """HTTP in, a record on the topic, in the partition that every Kafka producer would choose."""
    await ensure_topics(settings)
    ingest = Ingest(settings)
    try:
        await ingest.until("/readyz", 200)
        async with ingest.client() as http:
            users = [f"user-{number}" for number in range(40)]
            batch = [*[a_track(user, user) for user in users], a_track("null", "bad")]
            answer = await http.post("/v1/batch", json={"batch": batch})
            assert (200, [40]) == (answer.status_code, [error["index"] for error in answer.json()["errors"]])
            single = await http.post("/v1/page", json={"anonymousId": "a1", "messageId": "page", "name": "Home"})
            assert (200, '{"success": true}') == (single.status_code, single.text)
            metrics = (await http.get("/metrics")).text
        assert "kikkake_events_accepted_total 41.0" in metrics
        assert 'kikkake_events_rejected_total{reason="illegal_distinct_id"} 1.0' in metrics
        found = await stored(settings)
        keys = [f"u:{user}".encode() for user in users] + [b"a:a1"]
        for partition, events in found.items():
            expected = [key for key in keys if partition_of(key, PARTITIONS) == partition]
            assert expected == [key for key, _ in events]
        reader = KafkaLogReader(settings.kafka_bootstrap, prefix=settings.topic_prefix)
        (_, letter) = await reader.read(EVENTS_DLQ, 0, 0, 10)
        assert "illegal_distinct_id" == codec.DEAD_LETTERS.decode(letter.value).reason
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert "ingest.stopped" in logged
    assert "user-1" not in logged


async def test_what_was_set_aside_is_read_and_sent_through_again_while_it_runs(settings: KafkaSettings) -> None:
    """One call that is refused again, and a record that some evaluator could not apply."""
    await ensure_topics(settings)
    token = "an-admin-token-of-32-characters."
    ingest = Ingest(settings, KIKKAKE_ADMIN_TOKEN=token)
    admin = httpx2.AsyncClient(base_url=ingest.url, headers={"Authorization": f"Bearer {token}"}, timeout=15)
    event = codec.encode(an_event("X", at("09:00"), message_id="again"))
    letter = DeadLetter(
        topic="events", partition=0, offset=5, reason="KeyError", detail="x", at=1, key=b"u:c1", value=event
    )
    publisher = KafkaPublisher(
        settings.kafka_bootstrap, prefix=settings.topic_prefix, partitions=PARTITIONS, client_id="test"
    )
    await publisher.start()
    try:
        await ingest.until("/readyz", 200)
        async with ingest.client() as http, admin:
            await http.post("/v1/batch", json={"batch": [a_track("null", "bad")]})
            await publisher.publish([Output(EVENTS_DLQ, letter.key, codec.encode(letter))])
            found = (await admin.get("/v1/dead-letters/events.dlq")).json()["dead_letters"]
            assert ["KeyError", "illegal_distinct_id"] == [one["reason"] for one in found]
            became = []
            for one in found:
                path = f"/v1/dead-letters/events.dlq/{one['offset']}/replay"
                became.append((await admin.post(path)).json()["became"])
            assert ["sent", "refused"] == became
        expected = partition_of(b"u:c1", PARTITIONS)
        assert [(b"u:c1", "again")] == [(key, it.message_id) for key, it in (await stored(settings))[expected]]
    finally:
        await publisher.stop()
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged


class Visitors:
    """People who send one event after the other, and remember how each was answered."""

    def __init__(self, ingest: Ingest, count: int) -> None:
        self.accepted: list[str] = []
        self.refused: list[float] = []
        self._ingest = ingest
        self._leaving = False
        self._tasks = [asyncio.create_task(self._visit(number)) for number in range(count)]

    async def _visit(self, number: int) -> None:
        sent = 0
        async with self._ingest.client() as http:
            while not self._leaving:
                sent += 1
                started = time.monotonic()
                message_id = f"{number}:{sent}"
                answer = await http.post("/v1/track", json=a_track(f"user-{number}", message_id))
                if answer.status_code == 200:
                    self.accepted.append(message_id)
                    continue
                assert (503, "1") == (answer.status_code, answer.headers["retry-after"])
                self.refused.append(time.monotonic() - started)

    async def until(self, condition: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"{len(self.accepted)} accepted, {len(self.refused)} refused"
            await asyncio.sleep(0.02)

    async def leave(self) -> None:
        """Wait for the last answers. Raises what a visitor met, but for a connection that broke."""
        self._leaving = True
        for met in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(met, BaseException) and not isinstance(met, httpx2.TransportError):
                raise met


async def lost(settings: KafkaSettings, accepted: Iterable[str]) -> set[str]:
    found = {event.message_id for events in (await stored(settings)).values() for _, event in events}
    return set(accepted) - found


@pytest.mark.long
async def test_kafka_killed_under_load(mortal_server: KafkaServer) -> None:
    """Every client gets a 503 within seconds and nobody a 200; back, 200 again; no accepted event is lost."""
    settings = KafkaSettings(kafka_bootstrap=mortal_server.bootstrap, partitions=PARTITIONS)
    await ensure_topics(settings)
    ingest = Ingest(settings)
    try:
        await ingest.until("/readyz", 200)
        visitors = Visitors(ingest, 8)
        await visitors.until(lambda: len(visitors.accepted) > 200, within=20)
        mortal_server.kill()
        await asyncio.sleep(0.3)  # answers to what was acknowledged before are on their way
        before = len(visitors.accepted)
        await ingest.until("/readyz", 503)
        await ingest.until("/livez", 200)
        await visitors.until(lambda: len(visitors.refused) >= 8, within=15)
        assert max(visitors.refused) < 8
        assert before == len(visitors.accepted)
        await asyncio.to_thread(mortal_server.start)
        await visitors.until(lambda: len(visitors.accepted) > before + 200, within=30)
        await ingest.until("/readyz", 200)
        await visitors.leave()
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert set() == await lost(settings, visitors.accepted)


async def test_kafka_and_ingest_killed_under_load(mortal_server: KafkaServer) -> None:
    """Accepted means durable: what only waited in ingest's memory was never answered with 200."""
    settings = KafkaSettings(kafka_bootstrap=mortal_server.bootstrap, partitions=PARTITIONS)
    await ensure_topics(settings)
    ingest = Ingest(settings)
    try:
        await ingest.until("/readyz", 200)
        visitors = Visitors(ingest, 8)
        await visitors.until(lambda: len(visitors.accepted) > 200, within=20)
        mortal_server.kill()
        await asyncio.sleep(0.3)
        ingest.process.kill()
        await visitors.leave()
    finally:
        ingest.end()
    await asyncio.to_thread(mortal_server.start)
    assert set() == await lost(settings, visitors.accepted)


async def test_what_is_under_way_at_a_shutdown_is_answered(settings: KafkaSettings) -> None:
    """SIGTERM: open requests get their answer, and what was accepted is in the log."""
    await ensure_topics(settings)
    ingest = Ingest(settings)
    batch = {"batch": [a_track(f"user-{number}", str(number)) for number in range(2000)]}
    try:
        await ingest.until("/readyz", 200)
        async with ingest.client() as http:
            asked = [asyncio.create_task(http.post("/v1/batch", json=batch)) for _ in range(4)]
            await asyncio.sleep(0.1)
            ingest.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    accepted = [answer for answer in answers if isinstance(answer, httpx2.Response) and answer.status_code == 200]
    assert accepted
    events = [event for events in (await stored(settings)).values() for _, event in events]
    assert len(events) >= 2000 * len(accepted)


async def test_without_kafka_it_starts_and_says_so(settings: KafkaSettings) -> None:
    """It neither ends nor hangs: liveness holds, readiness does not, and events get a 503."""
    ingest = Ingest(settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"}))
    try:
        await ingest.until("/livez", 200)
        await ingest.until("/readyz", 503)
        async with ingest.client() as http:
            answer = await http.post("/v1/track", json=a_track("u1", "1"))
        assert (503, "log_unavailable") == (answer.status_code, answer.json()["code"])
    finally:
        logged = ingest.end()
    assert 0 == ingest.process.returncode, logged
    assert "ingest.log_unavailable" in logged
