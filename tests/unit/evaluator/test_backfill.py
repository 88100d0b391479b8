"""`entry.backfill`: whoever is in the audience already enters when the journey is published, or not."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator.core.catalog import build_catalog
from shared.clock import from_iso
from shared.journeys.model import Journey
from tests.unit.evaluator.dated import AUDIENCE, dated, told
from tests.unit.evaluator.hosts import Host, conserved, journal

NOON = from_iso("2026-03-02T12:00")
MEMBERS = "type: audience, audience: vip"
CURRENT = "backfill: current, reentry: {mode: never}"
DAILY = dated('type: schedule, cron: "0 9 * * *"', journey="daily")


def a_host() -> Host:
    """A host that knows a member and one who is none; no journey asks for the audience yet."""
    host = Host(dated("type: event, event: Nothing", journey="nothing"))
    host.take(told("2026-03-02T12:00", tier="gold"), NOON, "u:gold")
    host.take(told("2026-03-02T12:00", tier="none"), NOON, "u:none")
    return host


def publish(host: Host, *journeys: Journey) -> list[tuple[str, str, int, str]]:
    """Start again with other journeys and sweep; returns who entered, what, when and why."""
    host.catalog = build_catalog(journeys, audiences=[AUDIENCE])
    host.processor = host.started()
    epoch = host.processor.sweep(100, caught_up=True)
    host.store.keep(epoch)
    conserved(host)
    return [(it.contact, it.journey, it.at, it.cause) for it in journal(epoch) if it.decision == "entered"]


def versioned(journey: Journey, version: int) -> Journey:
    return msgspec.structs.replace(journey, version=version)


def test_backfill_current_lets_members_in_once() -> None:
    host = a_host()
    journey = dated(MEMBERS, entry=CURRENT)
    assert [("u:gold", "greeting", NOON, "backfill:greeting@1")] == publish(host, journey)
    assert [] == publish(host, journey)


@pytest.mark.parametrize("entry", ["", "backfill: none"])
def test_without_backfill_nobody_enters_by_being_in_already(entry: str) -> None:
    assert [] == publish(a_host(), dated(MEMBERS, entry=entry))


def test_another_journey_that_is_published_lets_nobody_in_again() -> None:
    host = a_host()
    journey = dated(MEMBERS, entry="backfill: current")
    assert 1 == len(publish(host, journey))
    assert [] == publish(host, journey, DAILY)
    assert [] == publish(host, DAILY)
    assert [] == publish(host, journey)


def test_a_new_version_lets_those_in_who_are_members_then() -> None:
    host = a_host()
    journey = dated(MEMBERS, entry="backfill: current")
    publish(host, journey)
    host.take(told("2026-03-02T13:00", tier="gold"), NOON + 1, "u:none")
    entered = publish(host, versioned(journey, 2))
    causes = [(contact, cause) for contact, _, _, cause in entered]
    assert [("u:gold", "backfill:greeting@2"), ("u:none", "backfill:greeting@2")] == sorted(causes)


def test_whoever_comes_into_the_audience_later_enters_by_that() -> None:
    host = a_host()
    publish(host, dated(MEMBERS, entry="backfill: current"))
    epoch = host.take(told("2026-03-02T13:00", tier="gold"), NOON + 1, "u:none")
    assert ["entered", "send", "exited"] == [record.decision for record in journal(epoch)]
    epoch = host.take(told("2026-03-02T13:00", tier="gold"), NOON + 1, "u:new")
    assert ["entered", "send", "exited"] == [record.decision for record in journal(epoch)]
    assert [] == publish(host, dated(MEMBERS, entry="backfill: current"), DAILY)


def test_where_and_the_window_of_the_entry_are_asked() -> None:
    assert [] == publish(a_host(), dated(f"{MEMBERS}, where: contact.tier == 'blue'", entry=CURRENT))
    assert [] == publish(a_host(), dated(MEMBERS, entry='backfill: current, window: {start: "2026-04-01"}'))


def test_a_restart_in_the_middle_lets_each_in_once() -> None:
    host = a_host()
    host.take(told("2026-03-02T12:00", tier="gold"), NOON, "u:gold2")
    host.catalog = build_catalog([dated(MEMBERS, entry=CURRENT)], audiences=[AUDIENCE])
    entered = []
    for _ in range(4):
        host.processor = host.started()
        epoch = host.processor.sweep(1, caught_up=True)
        host.store.keep(epoch)
        entered += [record.contact for record in journal(epoch) if record.decision == "entered"]
    assert ["u:gold", "u:gold2"] == sorted(entered)
    assert 0 == host.started().behind
