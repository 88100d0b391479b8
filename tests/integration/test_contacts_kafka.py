"""``GET /v1/contacts/{id}`` on a real Kafka: two evaluators, ingest in front, one killed, one stopped, both back.

Whatever happens meanwhile, an answer is right or it is 503: never old, never somebody else's, never "unknown".
"""

from __future__ import annotations

import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.kafka.partition import partition_of
from tests.e2e.processes import Process, service, wait_until
from tests.e2e.scenario import WRITE_KEY, Client, write_journeys
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.integration

PARTITIONS = 6
CONTACTS = [f"leaver{number}" for number in range(24)]
READ_TOKEN = "read-token-of-the-sites-server"
INTERNAL_TOKEN = "internal-token-of-the-services"
SESSION = 6
"""s, the least that a broker takes by default."""


class Shop:
    """Two evaluators and ingest, with topics of their own."""

    def __init__(self, folder: Path, kafka: KafkaServer) -> None:
        name = uuid.uuid4().hex[:8]
        common = {
            "KIKKAKE_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "KIKKAKE_TOPIC_PREFIX": f"contacts-{name}.",
            "KIKKAKE_PARTITIONS": str(PARTITIONS),
            "KIKKAKE_SESSION_TIMEOUT": str(SESSION),
            "KIKKAKE_INTERNAL_TOKEN": INTERNAL_TOKEN,
        }
        evaluator = {
            **common,
            "KIKKAKE_JOURNEYS": str(write_journeys(folder)),
            "KIKKAKE_EVALUATOR_GROUP": f"evaluator-{name}",
        }
        self.evaluators = []
        for worker in ("a", "b"):
            own = folder / worker
            own.mkdir()
            env = {"KIKKAKE_DATA": str(own / "data"), "KIKKAKE_EVALUATOR_INSTANCE": f"{name}-{worker}"}
            self.evaluators.append(service("evaluator", {**evaluator, **env}, own))
        places = ",".join(f"127.0.0.1:{process.port}" for process in self.evaluators)
        ingest = {"KIKKAKE_WRITE_KEYS": WRITE_KEY, "KIKKAKE_READ_TOKENS": READ_TOKEN, "KIKKAKE_EVALUATORS": places}
        self.ingest = service("ingest", {**common, **ingest}, folder)
        self.processes = [*self.evaluators, self.ingest]
        self.http = httpx2.Client(timeout=10)
        self.refused: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ingest.port}"

    def ask(self, contact: str, **params: str) -> Any:
        """Return the contact, None while it is unavailable. Any other refusal fails, and so does a wrong answer."""
        headers = {"Authorization": f"Bearer {READ_TOKEN}"}
        answer = self.http.get(f"{self.url}/v1/contacts/{contact}", headers=headers, params=params)
        if answer.status_code == 503:
            assert ("contact_unavailable", "1") == (answer.json()["code"], answer.headers["retry-after"])
            self.refused[contact] += 1
            return None
        assert 200 == answer.status_code, f"{contact}: {answer.status_code} {answer.text}"
        return answer.json()

    def who_answers(self, contact: str) -> list[int]:
        """Return the numbers of the evaluators that speak for ``contact``; one that is away speaks for nobody."""
        found = []
        for number, process in enumerate(self.evaluators):
            try:
                answer = self.http.post(
                    f"http://127.0.0.1:{process.port}/internal/contact",
                    content=f"u:{contact}",
                    headers={"Authorization": f"Bearer {INTERNAL_TOKEN}"},
                    timeout=0.5,
                )
            except httpx2.TransportError:
                continue
            if answer.status_code == 200:
                assert contact == answer.json()["id"]
                found.append(number)
        return found

    def introduce(self, contacts: list[str]) -> None:
        client = Client(self.url)
        for contact in contacts:
            client.introduce(contact)
            client.fill_cart(contact)

    def all_answered(self) -> bool:
        """Whether every contact is answered now, rightly."""
        return all(_is_right(contact, self.ask(contact)) for contact in CONTACTS)

    def tails(self) -> str:
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in self.processes)


def _is_right(contact: str, found: Any) -> bool:
    """Whether ``contact`` is answered; what is answered is the whole of what it did."""
    if found is None:
        return False
    assert contact == found["id"]
    assert f"{contact}@example.jp" == found["traits"]["email"]
    assert "granted" == found["consent"]["cart_reminders"]["status"]
    assert "Product Added" in [event["event"] for event in found["recent_events"]]
    assert partition_of(f"u:{contact}".encode(), PARTITIONS) == found["as_of"]["partition"]
    return True


@pytest.fixture
def shop(tmp_path: Path, kafka_server: KafkaServer) -> Iterator[Shop]:
    shop = Shop(tmp_path, kafka_server)
    try:
        for process in shop.processes:
            process.start()
        for process in shop.processes:
            process.ready()
        shop.introduce(CONTACTS)
        wait_until(lambda: _both_own(shop), "both evaluators own partitions", 60, shop.tails)
        wait_until(lambda: _all_applied(shop), "every contact is known", 30, shop.tails)
        yield shop
    finally:
        shop.http.close()
        for process in shop.processes:
            process.end()


def _both_own(shop: Shop) -> bool:
    owners = [shop.who_answers(contact) for contact in CONTACTS]
    return {(0,), (1,)} == {tuple(found) for found in owners}


def _all_applied(shop: Shop) -> bool:
    found = [shop.ask(contact) for contact in CONTACTS]
    return all(one is not None and "Product Added" in [it["event"] for it in one["recent_events"]] for one in found)


def test_each_contact_is_answered_by_its_owner_whoever_that_is(shop: Shop) -> None:
    """One evaluator is killed: its contacts are unavailable until the other has restored them. Then it comes back."""
    assert shop.all_answered()
    shop.refused.clear()
    lost = [contact for contact in CONTACTS if shop.who_answers(contact) == [0]]
    first, second = shop.evaluators
    first.kill()
    for contact in CONTACTS:
        assert (contact in lost) == (shop.ask(contact) is None)
    assert set(lost) == set(shop.refused)
    wait_until(shop.all_answered, "the other answers for all of them", 60, shop.tails)
    assert [[1]] * len(CONTACTS) == [shop.who_answers(contact) for contact in CONTACTS]
    first.start()
    # All along while the partitions move: what is answered is right.
    wait_until(
        lambda: [shop.ask(contact) for contact in CONTACTS] and _both_own(shop), "both own again", 60, shop.tails
    )
    wait_until(shop.all_answered, "every contact is answered again", 30, shop.tails)
    assert second.running


@pytest.mark.long
def test_a_worker_stopped_past_its_session_and_woken_says_nothing_old(shop: Shop) -> None:
    first = shop.evaluators[0]
    lost = [contact for contact in CONTACTS if shop.who_answers(contact) == [0]]
    first.send(signal.SIGSTOP)
    stopped = time.monotonic()
    assert shop.ask(lost[0]) is None
    assert time.monotonic() - stopped < 5, "nobody waits for a worker that says nothing"
    wait_until(shop.all_answered, "the other answers for all of them", 60, shop.tails)
    Client(shop.url).post("identify", messageId="changed", userId=lost[0], traits={"first_name": "Changed"})
    wait_until(lambda: _first_name(shop, lost[0]) == "Changed", "the change is applied", 30, shop.tails)
    first.send(signal.SIGCONT)
    wait_until(lambda: _nothing_old(shop, lost[0]) and _is_back(first), "it is back, or has ended", 60, shop.tails)


def _first_name(shop: Shop, contact: str) -> str | None:
    found = shop.ask(contact)
    return None if found is None else str(found["traits"]["first_name"])


def _nothing_old(shop: Shop, contact: str) -> bool:
    """Fails when two workers speak for ``contact``, or the answer is what it was."""
    assert len(shop.who_answers(contact)) < 2
    assert _first_name(shop, contact) in (None, "Changed")
    return True


def _is_back(process: Process) -> bool:
    """Whether the woken worker has ended, to be started again, or has joined anew and claimed as a third."""
    return not process.running or '"term": 3' in process.tail()
