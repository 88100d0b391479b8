"""The cart job as a plain Faust agent with a Table, as its documentation has it.

``python -m benchmarks.evaluator.faust_agent BOOTSTRAP NAME EVENTS COMMANDS FOLDER worker -l error --web-port PORT``

Faust knows no timers of a key: due times are in the table, and a heap of hints to them is made again of it after a
restart.
"""

from __future__ import annotations

import heapq
import sys
from collections import defaultdict
from typing import Any

import faust

from benchmarks.evaluator.cart import ADDED, COMPLETED, IDENTIFIED, VIEWED, WAIT
from benchmarks.evaluator.workload import PARTITIONS


class Happened(faust.Record, serializer="json"):
    """What a contact did."""

    type: str
    name: str
    properties: dict[str, Any] = {}  # noqa: RUF012 - a field with its default
    traits: dict[str, Any] = {}  # noqa: RUF012


class Contact(faust.Record, serializer="json"):
    """A contact: the address, the cart and its product, when its timer is due, and the partition whose time counts."""

    due: int | None = None
    partition: int = 0
    cart: str = ""
    product: str = ""
    email: str = ""


class Remind(faust.Record, serializer="json"):
    """What is to be sent."""

    contact: str
    cart: str
    due: int
    product: str
    email: str


def build(bootstrap: str, name: str, events: str, commands: str, folder: str) -> faust.App:
    """Return the application."""
    app = faust.App(name, broker=f"kafka://{bootstrap}", store="memory://", datadir=folder, topic_partitions=PARTITIONS)
    source: Any = app.topic(events, key_type=str, key_serializer="raw", value_type=Happened)
    sink: Any = app.topic(commands, value_type=Remind)
    contacts: Any = app.Table(f"{name}-contacts", default=Contact, value_type=Contact, partitions=PARTITIONS)
    hints: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)

    @contacts.on_recover  # type: ignore[untyped-decorator]
    async def recovered() -> None:
        hints.clear()
        for contact, known in contacts.items():
            if known.due is not None:
                heapq.heappush(hints[known.partition], (known.due, contact))

    async def fire(due_here: list[tuple[int, str]], now: int) -> None:
        while due_here and due_here[0][0] < now:
            due, contact = heapq.heappop(due_here)
            known = contacts[contact]
            if known.due == due:
                command = Remind(contact=contact, cart=known.cart, due=due, product=known.product, email=known.email)
                await sink.send(key=contact, value=command)
                contacts[contact] = known.derive(due=None)

    @app.agent(source)
    async def remind(stream: Any) -> None:
        async for event in stream.events():
            happened, contact = event.value, event.key
            now, partition = round(event.message.timestamp * 1000), event.message.partition
            due_here = hints[partition]
            await fire(due_here, now)
            known = contacts[contact]
            match happened.name:
                case name if name == IDENTIFIED:
                    contacts[contact] = known.derive(email=happened.traits["email"], partition=partition)
                case name if name == ADDED:
                    said = happened.properties
                    contacts[contact] = known.derive(due=now + WAIT, cart=said["cart_id"], product=said["name"])
                    heapq.heappush(due_here, (now + WAIT, contact))
                case name if name == VIEWED and known.due is not None:
                    contacts[contact] = known.derive(due=now + WAIT)
                    heapq.heappush(due_here, (now + WAIT, contact))
                case name if name == COMPLETED and known.due is not None:
                    contacts[contact] = known.derive(due=None)

    return app


if __name__ == "__main__":
    made = build(*sys.argv[1:6])
    sys.argv[1:6] = []
    made.main()
