"""The cart job itself, decided in plain Python: what each contestant has to come to. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

WAIT = 45 * 60_000
"""ms from a product put into the cart, or looked at, to the reminder."""
IDENTIFIED, ADDED, VIEWED, COMPLETED = "Identified", "Product Added", "Product Viewed", "Order Completed"


class Act(NamedTuple):
    """One event: its partition, whose it is, when it was (ms), its name and, of a product added, the cart."""

    partition: int
    contact: str
    at: int
    name: str
    cart: str = ""


class Command(NamedTuple):
    """Remind ``contact`` of ``cart``; the timer was due at ``due``, and the act of number ``act`` let it fire."""

    contact: str
    cart: str
    due: int
    act: int


def decide(acts: Sequence[Act]) -> list[list[Command]]:
    """Return the commands that follow from ``acts``, by partition, in the order in which they are decided.

    Time is that of the partition's acts, in their order. A timer fires once it was due before that time, and then comes
    before the act that has brought the time.
    """
    found: list[list[Command]] = [[] for _ in range(1 + max((act.partition for act in acts), default=-1))]
    hints: list[list[tuple[int, str]]] = [[] for _ in found]
    waiting: dict[str, tuple[int, str]] = {}
    for number, act in enumerate(acts):
        due_here = hints[act.partition]
        while due_here and due_here[0][0] < act.at:
            due, contact = heapq.heappop(due_here)
            if contact in waiting and waiting[contact][0] == due:
                found[act.partition].append(Command(contact, waiting.pop(contact)[1], due, number))
        if act.name == ADDED or (act.name == VIEWED and act.contact in waiting):
            cart = act.cart if act.name == ADDED else waiting[act.contact][1]
            waiting[act.contact] = act.at + WAIT, cart
            heapq.heappush(due_here, (act.at + WAIT, act.contact))
        elif act.name == COMPLETED:
            waiting.pop(act.contact, None)
    return found
