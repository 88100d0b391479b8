"""``python -m benchmarks.rows``: what one contact costs: bytes of its row as it is stored, and decoded in memory.

The state is what the core makes of the events. Memory is what Python allocates for one more decoded row.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

from benchmarks.thirty import EVENTS, thirty
from services.evaluator.rows import Row, decode_row, encode_row
from shared.clock import DAY, MINUTE
from shared.journeys.files import load_definitions
from shared.journeys.model import Journey
from shared.messages.event import Event
from tests.builders import JOURNEYS, a_record, an_event, at, consented, identified
from tests.oracle import play

COPIES = 500
KNOWN = (
    identified(at("08:00"), email="aki@example.jp", first_name="Aki", timezone="Asia/Tokyo"),
    consented(at("08:00"), "cart_reminders"),
)
CART: dict[str, Any] = {"cart_id": "k1", "product_id": "p1", "name": "Kettle", "price": 4800, "quantity": 1}
DEAR = CART | {"price": 200_000}
"""Above what a fifth of the thirty ask for."""
NAMES = tuple(name for name in EVENTS if name != "Order Completed")
"""Of the thirty, an order ends every run: a contact who orders is a small one."""


def main() -> None:
    """Measure and print the figures."""
    shipped, many = load_definitions(JOURNEYS).journeys, thirty()
    for name, journeys, events in (
        ("shipped, known", shipped, []),
        ("shipped, a cart is full", shipped, shopping(10)),
        ("shipped, a cart is full after 200 events", shipped, shopping(200)),
        ("thirty, known", many, []),
        ("thirty, each event once", many, days(len(NAMES), apart=MINUTE)),
        ("thirty, 40 events in a day", many, days(40, apart=20 * MINUTE)),
        ("thirty, 1,000 events in 30 days", many, days(1_000, apart=30 * DAY // 1_000)),
    ):
        size, memory, runs = cost(journeys, [*KNOWN, *events])
        print(f"{name}: row_bytes={size} decoded_bytes={memory} runs={runs}")


def shopping(number: int) -> list[Event]:
    """Return views of products, and at their end one in the cart."""
    start = at("09:00")
    views = [an_event("Product Viewed", start + place * MINUTE, **CART) for place in range(number - 1)]
    return [*views, an_event("Product Added", start + number * MINUTE, **CART)]


def days(number: int, *, apart: int) -> list[Event]:
    """Return events of all names but the order's in turn."""
    start = at("09:00")
    return [an_event(NAMES[place % len(NAMES)], start + place * apart, **DEAR) for place in range(number)]


def cost(journeys: Sequence[Journey], events: list[Event]) -> tuple[int, int, int]:
    """Return the bytes of the contact's row, those of the decoded row, and in how many runs the contact is."""
    log = [a_record(place, event) for place, event in enumerate(events)]
    state = play(journeys, log).states["u:c1"]
    stored = encode_row(Row(state, offset=len(log)))
    tracemalloc.start()
    rows = [decode_row(stored) for _ in range(COPIES)]
    memory = tracemalloc.get_traced_memory()[0] // len(rows)
    tracemalloc.stop()
    return len(stored), memory, len(state.runs)


if __name__ == "__main__":
    main()
