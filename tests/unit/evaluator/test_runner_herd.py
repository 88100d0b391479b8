"""Ten thousand contacts for whom it is nine o'clock at once: a few hundred at a time, and records in between."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cli.simulator.engine import Arrival, Simulator
from services.evaluator.core.catalog import build_catalog
from services.evaluator.processor import PartitionProcessor
from services.evaluator.runner import FIRE_AT_ONCE, SWEEP_AT_ONCE
from shared.clock import from_iso
from shared.messages import codec
from shared.messages.event import Event, Tick
from shared.messages.journal import JournalRecord
from shared.messages.topics import JOURNAL
from tests.builders import a_record, an_event
from tests.unit.evaluator.dated import dated, told
from tests.unit.evaluator.runners import Host

DAILY = dated('type: schedule, cron: "0 9 * * *"')
CONTACTS = tuple(f"u:{number}" for number in range(10_000))
NOON, NINE = from_iso("2026-03-02T12:00"), from_iso("2026-03-03T09:00")


def a_host() -> Host:
    host = Host()
    host.runner.processor = PartitionProcessor(
        partition=2, catalog=build_catalog([DAILY]), store=host.store, incarnation="log"
    )
    return host


def of(name: str) -> Event:
    """Return what is known of a contact since noon."""
    return msgspec.structs.replace(told("2026-03-02T12:00", name=name), user_id=name.removeprefix("u:"))


def decided(journal: Iterable[JournalRecord]) -> list[tuple[str, str, int, str]]:
    """Return the decisions in their order, but for what an outcome says: here nobody reports any."""
    return [(it.contact, it.decision, it.at, it.id) for it in journal if it.decision in ("entered", "send", "exited")]


async def test_a_herd_is_fired_in_bounded_epochs_and_records_get_through_in_between() -> None:
    host = a_host()
    await host.runner.batch([host.record(of(name), NOON, name) for name in CONTACTS], live=True, caught_up=True)
    before = len(host.store.epochs)
    await host.take(Tick(partition=2), NINE + 1, None)
    await host.take(an_event("Browsed", NINE + 2), NINE + 2, "u:new")
    fired_first = [epoch for epoch in host.store.epochs[before:] if epoch.rows]
    assert "u:new" in {contact for epoch in fired_first for contact in epoch.rows}
    assert sum(len(epoch.rows) for epoch in fired_first) <= 3 * FIRE_AT_ONCE
    while host.runner.processor.has_due:
        await host.beats(1)
    assert max(len(epoch.rows) for epoch in host.store.epochs[before:]) <= FIRE_AT_ONCE

    alone = Simulator([DAILY])
    for name in CONTACTS:
        alone.arrive(Arrival(NOON, of(name)))
    alone.run_on(NINE)
    journal = [codec.JOURNAL.decode(it.value) for it in host.store.outputs if it.topic == JOURNAL]
    assert len(CONTACTS) == [record.decision for record in journal].count("entered")
    assert decided(it.record for it in alone.decided) == decided(journal)


async def test_a_sweep_is_bounded_and_waits_for_records_and_timers() -> None:
    host = Host()
    records = [a_record(number, of(name), key=name) for number, name in enumerate(CONTACTS[:1_000])]
    await host.runner.batch(records, live=True, caught_up=True)
    host.runner.processor = PartitionProcessor(
        partition=2, catalog=build_catalog([DAILY]), store=host.store, incarnation="log"
    )
    host.runner.caught_up = False
    await host.beats(3)
    assert 1_000 == host.runner.processor.behind
    host.runner.caught_up = True
    before = len(host.store.epochs)
    await host.beats(1)
    host.runner.measure()
    registry = host.metrics.registry
    assert 1_000 - SWEEP_AT_ONCE == registry.get_sample_value("kikkake_contacts_behind", {"partition": "2"})
    await host.beats(10)
    assert 0 == host.runner.processor.behind
    assert [SWEEP_AT_ONCE] * 5 == [len(epoch.rows) for epoch in host.store.epochs[before:]]


async def test_a_time_zone_that_is_none_is_counted_once_when_it_is_learned() -> None:
    host = a_host()
    for number, zone in enumerate(("Mars/Olympus", "Mars/Olympus", "Asia/Tokyo", None, 7)):
        await host.take(told(f"2026-03-02T12:0{number}", timezone=zone), NOON + number)
    assert 2.0 == host.metrics.registry.get_sample_value("kikkake_invalid_zones_total")
