"""R6 and R7 of the fault harness through HTTP: what senders say twice, otherwise, late and in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from shared.clock import HOUR, MINUTE, SECOND, system_clock
from shared.messages.topics import EVENTS
from tests.e2e.host import KEY, Host
from tests.e2e.processes import wait_until
from tests.e2e.scenario import assert_same_decisions, judge_partitions

pytestmark = pytest.mark.integration

# An hour after something was put into a cart a mail leaves, unless an order was made meanwhile.
CARTS = """
schema: journey/v1
id: carts
version: 1
trigger: {type: event, event: Product Added}
exit: [{reason: converted, event: Order Completed}]
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 1h}}
  - {id: mail, send: {channels: [email], template: {email: {subject: Cart, text: Hello}}}}
  - {id: observe, wait: {for: 7d}}
"""
THIRD_VIEW = """
schema: journey/v1
id: third_view
version: 1
trigger: {type: threshold, aggregate: count, event: Product Viewed, within: 3d, is: ">= 3"}
policy: {purpose: transactional}
steps:
  - {id: end, exit: {reason: seen}}
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose journey every ``Product Added`` enters."""
    yield from _running(Host(tmp_path_factory.mktemp("seen")))


@pytest.fixture
def carts(tmp_path: Path) -> Iterator[Host]:
    yield from _running(Host(tmp_path, [CARTS, THIRD_VIEW]))


def _running(host: Host) -> Iterator[Host]:
    host.process.start().ready()
    try:
        yield host
    finally:
        host.process.end()


def post(host: Host, calls: Sequence[dict[str, Any]]) -> None:
    """Post in batches, as a server's library does; all of them are accepted."""
    with httpx2.Client(base_url=host.url, auth=(KEY, ""), timeout=30) as http:
        for start in range(0, len(calls), 100):
            answer = http.post("/v1/batch", json={"batch": calls[start : start + 100]})
            assert (200, {"success": True}) == (answer.status_code, answer.json())


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_what_is_said_twice_counts_once_and_what_is_said_otherwise_is_counted(share: float, seen: Host) -> None:
    """R6: a share of 1,000 events comes again, at once or later, every tenth of them with another body."""
    random = Random(f"R6 {share}")
    firsts = [
        {
            "type": "track",
            "event": "Product Added",
            "userId": f"r6 {share} {number % 50}",
            "messageId": f"{share} {number}",
            "properties": {"price": number},
        }
        for number in range(1000)
    ]
    again = random.sample(range(1000), int(1000 * share))
    others = set(again[::10])
    repeats = [
        (
            place + random.randrange(300),
            {**firsts[place], "properties": {"price": -1}} if place in others else firsts[place],
        )
        for place in again
    ]
    placed = sorted([*enumerate(firsts), *repeats], key=lambda it: it[0])
    duplicates, conflicts = seen.remarks("duplicate"), seen.remarks("conflict")
    post(seen, [call for _, call in placed])
    assert len(again) == seen.remarks("duplicate") - duplicates
    assert len(others) == seen.remarks("conflict") - conflicts
    entered = [
        it.cause for it in seen.journal() if it.decision == "entered" and it.contact.startswith(f"u:r6 {share} ")
    ]
    assert sorted(str(call["messageId"]) for call in firsts) == sorted(entered)


def test_late_and_in_any_order_it_is_decided_as_its_log_says(carts: Host) -> None:
    """R7: what came in another order than it happened is decided by its own time, or is on record as too late.

    Each viewer is there twice, once with the views in their order and once shuffled: the third makes a run, whatever
    the order. Every second cart was ordered before its mail was due, and said so after the mail had left.
    """
    random = Random(7)
    now = system_clock()
    shuffled, ordered = [], []
    for number in range(60):
        ages = sorted((random.randrange(30 * SECOND, 30 * HOUR) for _ in range(1 + number % 5)), reverse=True)
        views = [("Product Viewed", age) for age in ages]
        ordered.append(_said(f"o{number}", views, now))
        shuffled.append(_said(f"s{number}", random.sample(views, len(views)), now))
    post(carts, list(_merged([*ordered, *shuffled], random)))
    buyers = [f"c{number}" for number in range(40)]
    post(carts, [{"type": "identify", "userId": buyer, "traits": {"email": f"{buyer}@example.jp"}} for buyer in buyers])
    post(carts, [call for buyer in buyers for call in _said(buyer, [("Product Added", 2 * HOUR)], now)])
    wait_until(lambda: 40 == _decided(carts)["sent"], "all mails have left", 60, carts.process.tail)
    orders = [_said(buyer, [("Order Completed", 90 * MINUTE)], now) for buyer in buyers[::2]]
    post(carts, [call for order in orders for call in order])
    late = sum(call["timestamp"] < now - 24 * HOUR for person in [*ordered, *shuffled] for call in person)
    assert late == carts.remarks("late") > 0
    journal = {record.id: record for record in carts.journal()}
    assert_same_decisions(judge_partitions(carts.journeys, [carts.records(EVENTS)]), journal)
    runs = Counter(it.contact for it in journal.values() if it.decision == "entered")
    for number in range(60):
        assert (number % 5 >= 2) == runs[f"u:o{number}"] == runs[f"u:s{number}"]
    regrets = [it.contact for it in journal.values() if it.decision == "regret"]
    assert sorted(f"u:{buyer}" for buyer in buyers[::2]) == sorted(regrets)


def _decided(host: Host) -> Counter[str]:
    return Counter(it.decision for it in host.journal())


def _said(user: str, events: Iterable[tuple[str, int]], now: int) -> list[dict[str, Any]]:
    """Return the calls by which ``user`` says each event, which happened so long ago."""
    return [{"type": "track", "event": event, "userId": user, "timestamp": now - age} for event, age in events]


def _merged(people: Sequence[list[dict[str, Any]]], random: Random) -> Iterator[dict[str, Any]]:
    """Yield everybody's calls, each person's in their own order."""
    turns = [person for person in range(len(people)) for _ in people[person]]
    random.shuffle(turns)
    queues = [iter(calls) for calls in people]
    for person in turns:
        yield next(queues[person])
