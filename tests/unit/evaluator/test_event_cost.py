"""What an event of the cart job (``benchmarks.core``) and a timer's fire cost the evaluator, counted and not timed.

The counts are the same on every machine, however busy. They are Python's own steps (opcodes) and calls, of Python and
of C, so a copy or a look-up more for each event is seen, and whoever doubles the work per event fails here. The bounds
leave about a quarter of room for other releases of Python and for what journeys may come to ask; raise one together
with the figures of ``docs/performance.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from benchmarks.core import START, Partition, cart, logged
from benchmarks.evaluator.contestants import JOURNEY
from benchmarks.fires import HERD_WAIT, JOURNEYS, arrival

CONTACTS = 40


def counted(work: Callable[[], object]) -> tuple[int, int]:
    """Return how many steps and calls ``work`` takes."""
    steps = calls = 0

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return step

    def call(_frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(step)
    sys.setprofile(call)
    try:
        work()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return steps, calls


def test_what_an_event_of_the_cart_job_costs() -> None:
    log = cart(CONTACTS, 12)
    partition = Partition(JOURNEY)
    partition.apply(log[:CONTACTS])  # what is worked out once: expressions, who the contacts are
    steps, calls = counted(lambda: partition.apply(log[CONTACTS:]))
    events = len(log) - CONTACTS
    rows = partition.store.rows.values()
    assert steps / events < 2_700
    assert calls / events < 172
    assert sum(map(len, rows)) / len(rows) < 920


def test_what_a_fire_that_sends_costs() -> None:
    partition = Partition(*JOURNEYS.split("---\n"))
    contacts = [f"c{number}" for number in range(CONTACTS)]
    partition.apply(logged([event for contact in contacts for event in arrival(contact, "Tell", START)]))
    partition.apply(logged(arrival("c0", "Rest", START)))
    steps, calls = counted(lambda: partition.fire(START + HERD_WAIT + 1))
    assert steps / CONTACTS < 5_350
    assert calls / CONTACTS < 342
