"""A processor's timers: fired in log time, in chunks, before the record that comes after them."""

from __future__ import annotations

from shared.messages.event import Tick
from tests.builders import a_journey, an_event, at
from tests.unit.evaluator.hosts import Host, conserved, told


def herd(contacts: int) -> Host:
    host = Host(a_journey())
    for number in range(contacts):
        host.known(key=f"u:{number:02}")
    host.take(Tick(partition=3), at("11:00", day=30), None)
    return host


def test_firing_in_bounded_chunks_gives_the_same_as_all_at_once() -> None:
    whole, chunked = herd(10), herd(10)
    at_once = whole.processor.fire(1_000, caught_up=True)
    whole.store.keep(at_once)
    epochs = []
    while chunked.processor.has_due:
        epochs.append(chunked.processor.fire(3, caught_up=True))
        chunked.store.keep(epochs[-1])
    assert [3, 3, 3, 1] == [len(epoch.rows) for epoch in epochs]
    assert at_once.outputs == tuple(output for epoch in epochs for output in epoch.outputs)
    assert whole.store.rows == chunked.store.rows
    assert conserved(whole) == conserved(chunked)
    assert [at_once.lateness[0]] * 10 == [epoch.lateness[0] for epoch in epochs for _ in epoch.rows]


def test_a_contacts_due_timers_fire_before_its_record_although_the_herd_waits() -> None:
    host = herd(2)
    epoch = host.take(an_event("Order Completed", at("11:00", day=30)), at("11:00", day=30), "u:01")
    assert [("send", "remind_1"), ("send", "remind_2"), ("exited", "no_response")] == told(epoch)
    assert ["u:00"] == list(host.processor.fire(10, caught_up=True).rows)


def test_lateness_is_counted_in_log_time() -> None:
    host = Host(a_journey())
    host.known()
    assert (60_000,) == host.tick(at("10:46")).lateness


def test_a_tick_is_wanted_when_a_timer_came_due_and_only_log_time_stands_still() -> None:
    host = Host(a_journey())
    assert not host.processor.wants_tick(at("10:00", day=9))
    host.known()
    assert at("10:45") == host.processor.next_due
    assert not host.processor.wants_tick(at("10:45"))
    assert host.processor.wants_tick(at("10:45") + 1)
    host.take(an_event("Browsed", at("10:50")), at("10:50"), "u:c2")
    assert host.processor.has_due
    assert not host.processor.wants_tick(at("10:51"))
    host.store.keep(host.processor.fire(10, caught_up=True))
    assert not host.processor.has_due


def test_a_timer_due_at_log_time_itself_waits_and_asks_for_a_tick() -> None:
    """A record of that very time would go first."""
    host = Host(a_journey())
    host.known()
    host.take(an_event("Browsed", at("10:45")), at("10:45"), "u:c2")
    assert not host.processor.has_due
    assert host.processor.wants_tick(at("10:45") + 1)
