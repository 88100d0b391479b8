"""A folder is started again with other journeys: whoever is silent waits for their dates too, wherever it stops."""

from __future__ import annotations

import asyncio

from services.evaluator.core.catalog import build_catalog
from services.evaluator.meta import decode_meta
from services.evaluator.rows import decode_row
from services.standalone.evaluation import Evaluation
from services.standalone.storage.contacts import SqliteContacts
from services.standalone.storage.database import Database
from services.standalone.storage.log import SqliteLog
from shared.clock import from_iso
from shared.journeys.model import Journey
from shared.log import Output
from shared.messages import codec
from shared.messages.topics import EVENTS
from shared.metrics import Metrics
from tests.dispatching import eventually
from tests.unit.evaluator.dated import dated, told
from tests.unit.standalone.conftest import SetClock

CONTACTS = tuple(f"u:{number}" for number in range(450))
DAILY = dated('type: schedule, cron: "0 9 * * *"')
NOON, NINE = from_iso("2026-03-02T12:00"), from_iso("2026-03-03T09:00")


async def test_a_sweep_that_was_interrupted_goes_on_after_the_restart(
    database: Database, log: SqliteLog, clock: SetClock
) -> None:
    contacts = SqliteContacts(database, log)

    def evaluation(*journeys: Journey) -> Evaluation:
        return Evaluation(
            log=log, contacts=contacts, catalog=build_catalog(journeys), clock=clock, speed=1, metrics=Metrics()
        )

    def armed() -> int:
        rows = (contacts.load(contact) for contact in CONTACTS)
        return sum(row is not None and decode_row(row).state.next_due == NINE for row in rows)

    clock.now = NOON
    event = codec.encode(told("2026-03-02T12:00"))
    await log.publish([Output(EVENTS, contact.encode(), event) for contact in CONTACTS])
    first = evaluation()
    while first.read_to[EVENTS] <= len(CONTACTS):
        await first._turn()

    second = evaluation(DAILY)
    assert len(CONTACTS) == second.runner.processor.behind
    await second._turn()
    assert 200 == armed()

    third = evaluation(DAILY)
    assert 250 == third.runner.processor.behind
    running = asyncio.ensure_future(third.run())
    await eventually(lambda: armed() == len(CONTACTS))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    meta = decode_meta(contacts.load_meta() or b"")
    assert (len(CONTACTS), NOON) == (meta.counters.timers_armed, meta.catalog_since)
