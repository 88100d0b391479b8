"""What the contacts of a shop do, as ingest writes it into ``events``, and what has to come of it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from random import Random
from typing import NamedTuple

import msgspec

from benchmarks.evaluator.cart import ADDED, COMPLETED, IDENTIFIED, VIEWED, Act, decide
from shared.kafka.partition import partition_of
from shared.messages.event import Event

PARTITIONS = 4
_NAMES, _WEIGHTS = (VIEWED, ADDED, COMPLETED, "Page Viewed"), (6, 2, 1, 1)
_GAP = 15 * 60_000
"""ms between two acts of a contact, on average: some 5 % of them are longer than the cart's wait."""
_CLOSING = 10_000
"""ms from the last act to one more in each partition, by which the last timers fire."""
_CONTEXT = {
    "page": {
        "path": "/kettles/iron",
        "referrer": "https://shop.example/kettles",
        "search": "",
        "title": "Iron kettle",
        "url": "https://shop.example/kettles/iron",
    },
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0",
    "locale": "ja-JP",
    "library": {"name": "@segment/analytics-node", "version": "2.3.0"},
    "timezone": "Asia/Tokyo",
    "ip": "203.0.113.7",
}
_ENCODER = msgspec.json.Encoder()


class Workload:
    """``count`` acts from ``start`` (ms) on and one more in each partition; contacts say first who they are.

    Each contact acts at random, so that the acts of the first hours are those of the last. The same ``count``,
    ``contacts`` and ``start`` are the same acts, and a smaller count is a beginning of them.
    """

    def __init__(self, count: int, contacts: int, start: int) -> None:
        random = Random(20_261_122)
        self._places = [partition_of(f"u:u{number}".encode(), PARTITIONS) for number in range(contacts)]
        orders: Counter[int] = Counter()
        self.acts: list[Act] = []
        at = float(start)
        for turn in range(count):
            at += _GAP / contacts
            number = turn if turn < contacts else random.randrange(contacts)
            name = IDENTIFIED if turn < contacts else random.choices(_NAMES, _WEIGHTS)[0]
            cart = f"k{number}-{orders[number]}" if name == ADDED else ""
            orders[number] += name == COMPLETED
            self.acts.append(Act(self._places[number], f"u:u{number}", int(at), name, cart))
        end = int(at) + _CLOSING
        for partition in range(PARTITIONS):
            number = self._places.index(partition)
            self.acts.append(Act(partition, f"u:u{number}", end, "Page Viewed"))
        self.commands = decide(self.acts)
        """By partition, as they are to be decided."""
        numbers: list[list[int]] = [[] for _ in range(PARTITIONS)]
        for place, act in enumerate(self.acts):
            numbers[act.partition].append(place)
        self._done = [
            [bisect_left(numbers[partition], command.act) + 1 for command in commands]
            for partition, commands in enumerate(self.commands)
        ]

    @property
    def wanted(self) -> Counter[tuple[str, str, int]]:
        """The commands as (contact, cart, due)."""
        return Counter(command[:3] for commands in self.commands for command in commands)

    def done(self, seen: list[int]) -> int:
        """Return how many acts have been applied once ``seen`` commands of each partition are out."""
        return sum(done[count - 1] for done, count in zip(self._done, seen, strict=True) if count)

    def value(self, number: int) -> bytes:
        """Return the JSON of the act of that number, as ingest writes it but for the two bytes before it."""
        return _ENCODER.encode(event_of(self.acts[number], number))


class Size(NamedTuple):
    """How many acts there are, of how many the work is not measured, and how many contacts act."""

    acts: int
    warm: int
    contacts: int


def event_of(act: Act, number: int) -> Event:
    """Return ``act``, the ``number``-th, as an event of a shop's server.

    It has no anonymous id: no peer would make a user of a visitor.
    """
    user = act.contact.removeprefix("u:")
    known = act.name == IDENTIFIED
    shown = {"product_id": f"p{number % 50}", "name": f"Iron kettle {number % 50}", "price": 7800, "currency": "JPY"}
    return Event(
        message_id=f"node-next-{act.at}-{number:08x}-0000-4000-8000",
        type="identify" if known else "page" if act.name == "Page Viewed" else "track",
        name=act.name,
        timestamp=act.at,
        received_at=act.at,
        user_id=user,
        properties={} if known else {**shown, "cart_id": act.cart, "quantity": 1} if act.cart else shown,
        traits={"email": f"{user}@example.jp", "first_name": "Aki"} if known else {},
        context=_CONTEXT,
    )
