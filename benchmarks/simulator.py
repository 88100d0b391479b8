"""``python -m benchmarks.simulator``: P12, the simulator: events per second, and a year in the life of one contact.

For one journey with a filter on history, a wait that events reset, a goal, an exit and a rendered message (the cart
journey of the tests), and for thirty. The median of five runs each.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

from benchmarks.thirty import thirty
from cli.simulator.calls import read_calls
from cli.simulator.decisions import effective, line_of
from cli.simulator.engine import Arrival, simulate
from shared.clock import DAY, HOUR, MINUTE, SECOND, from_iso, to_iso
from shared.journeys.faults import Fault
from shared.journeys.model import Journey
from tests.builders import a_journey

START = from_iso("2026-01-01T00:00:00+00:00")
CONTACTS = 5_000
ROUNDS = 4
RUNS = 5


def main() -> None:
    """Measure and print the figures."""
    journey = a_journey()
    lines = shop()
    arrivals = parsed(lines)
    one, many = rate([journey], arrivals), rate(thirty(), arrivals)
    whole = median(lambda: printed(journey, lines))
    year = parsed(a_year())
    seconds = median(lambda: simulate([journey], year))
    print(f"P12 events_per_s_1={one:.0f} events_per_s_30={many:.0f} year_of_one_contact_s={seconds:.3f}")
    print(f"P12 simulate_command_events_per_s={len(arrivals) / whole:.0f} (reads, runs on and makes the lines)")
    print(f"goals: events_per_s 50000 floor 10000, year_of_one_contact_s 0.1; {len(arrivals)} and {len(year)} events")


def rate(journeys: list[Journey], arrivals: list[Arrival]) -> float:
    """Return the events that are decided per second."""
    return len(arrivals) / median(lambda: simulate(journeys, arrivals, until=arrivals[-1].at))


def median(work: Callable[[], object]) -> float:
    """Return the median seconds of ``work``."""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def printed(journey: Journey, lines: list[bytes]) -> list[str]:
    """Do what the command does, but for the writing."""
    return [line_of(decided) for decided in effective(simulate([journey], parsed(lines)).decided)]


def parsed(lines: list[bytes]) -> list[Arrival]:
    """Return the arrivals of ``lines``."""
    faults: list[Fault] = []
    arrivals = list(read_calls("benchmark", lines, faults))
    assert not faults
    return arrivals


def shop() -> list[bytes]:
    """Return a day of a shop: everybody views, adds and views again, ROUNDS times; every third buys."""
    lines = []
    for number in range(CONTACTS):
        lines += known(f"c{number}", START + number)
    for visit in range(ROUNDS):
        for number in range(CONTACTS):
            at = START + visit * 6 * HOUR + number * SECOND
            for step, name in enumerate(("Product Viewed", "Product Added", "Product Viewed", "Product Viewed")):
                lines.append(track(f"c{number}", name, at + step))
            if number % 3 == 0:
                lines.append(track(f"c{number}", "Order Completed", at + 10))
    return lines


def a_year() -> list[bytes]:
    """Return a year of one contact: a cart every day, and every week an order; about a thousand events."""
    lines = known("c1", START)
    for day in range(365):
        at = START + day * DAY + HOUR
        lines += [track("c1", "Product Viewed", at), track("c1", "Product Added", at + MINUTE)]
        if day % 7 == 0:
            lines.append(track("c1", "Order Completed", at + 20 * MINUTE))
        elif day % 2:
            lines.append(track("c1", "Product Viewed", at + 5 * MINUTE))
    return lines


def known(contact: str, at: int) -> list[bytes]:
    """Return what makes ``contact`` one that can be reminded."""
    consent = {"type": "consent", "topic": "cart_reminders", "status": "granted"}
    traits = {"type": "identify", "traits": {"email": f"{contact}@example.jp", "timezone": "Asia/Tokyo"}}
    return [call(contact, at, **said) for said in (traits, consent)]


def track(contact: str, name: str, at: int) -> bytes:
    """Return one line."""
    properties = {"name": "Kettle", "product_id": "p1", "cart_id": "k1", "price": 4200, "total": 4200}
    return call(contact, at, type="track", event=name, properties=properties)


def call(contact: str, at: int, **said: object) -> bytes:
    """Return one line."""
    timestamp = to_iso(at)
    return json.dumps(
        {"userId": contact, "messageId": f"{contact}-{said}-{at}"[-90:], "timestamp": timestamp, **said}
    ).encode()


if __name__ == "__main__":
    main()
