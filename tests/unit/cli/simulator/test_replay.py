"""A recorded log is decided again by the rules of the hosts, with the outcomes that stand in it."""

from __future__ import annotations

from cli.recording import Recorded
from cli.simulator.engine import Decided, simulate
from cli.simulator.replay import Orders, PartitionReplay, decisions, replay
from services.evaluator.bounds import ROW_BYTES
from shared.journeys.model import Definitions
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.event import Tick
from tests.builders import CART, a_journey, an_event, at
from tests.unit.cli.simulator.recordings import FIRST, a_log
from tests.unit.cli.simulator.worlds import PATIENT, did, known, written

JOURNEYS = [a_journey(), a_journey(PATIENT)]
DEFINED = Definitions(journeys=tuple(JOURNEYS))


def replayed(log: list[LogRecord], partition: int = 0) -> tuple[list[Decided], list[str]]:
    """Return what was decided over the recorded events ``log``, and what was amiss."""
    warnings: list[str] = []
    recorded = [Recorded(line, "events", partition, record) for line, record in enumerate(log, start=2)]
    return list(replay(DEFINED, recorded, warnings.append)), warnings


def test_it_decides_what_was_decided_when_the_log_was_written() -> None:
    arrivals = [*known(), did("Began", "09:00"), did("Product Added", "09:00", name="Kettle")]
    simulated = simulate(JOURNEYS, arrivals)
    found, warnings = replayed(a_log(written(simulated)))
    assert [it.record for it in simulated.decided] == [it.record for it in found]
    assert [] == warnings


def test_a_tick_fires_what_is_due_and_nothing_fires_after_the_last_record() -> None:
    began = written(simulate(JOURNEYS, [*known(), did("Began", "09:00")], until=at("09:01")))
    tick = codec.encode(Tick(partition=0))

    def sends(ticked: int) -> int:
        found, _ = replayed(a_log([*began, LogRecord(0, ticked, None, tick)]))
        return sum(it.record.decision == "send" for it in found)

    assert [0, 0, 1] == [sends(at("09:44:59")), sends(at("09:45")), sends(at("09:45") + 1)]


def test_a_command_without_an_outcome_stays_open() -> None:
    """Delivery is not assumed: a recorded log says itself what became of a message."""
    began = written(simulate(JOURNEYS, [*known(), did("Began", "09:00")], until=at("09:01")))
    found, _ = replayed(a_log([*began, LogRecord(0, at("10:00"), None, codec.encode(Tick(partition=0)))]))
    assert ["entered", "send"] == [it.record.decision for it in found]


def test_what_the_hosts_put_aside_is_put_aside() -> None:
    """Each of these would decide something if only the core were asked."""
    large = an_event("Product Added", at("09:00"), message_id="large", name="x" * ROW_BYTES)
    journey = a_journey(CART.replace("performed: {event: Order Completed, within: 60m}", "any: []"))
    partition = PartitionReplay(Orders(Definitions(journeys=(journey,))), 0)
    value = codec.encode(an_event("Product Added", at("09:00"), name="Kettle"))
    log = [
        LogRecord(0, at("09:00"), b"u:c1", codec.encode(large)),
        LogRecord(0, at("09:00"), b"\xff", value),
        LogRecord(0, at("09:00"), None, value),
        LogRecord(0, at("09:00"), b"u:c1", b"\x01\x00{"),
    ]
    assert [] == [it for record in a_log(log) for epoch in partition.apply(record) for it in decisions(epoch)]
    assert 4 == partition.put_aside
    assert "events/3: 1 record could not be applied (live: events.dlq)" == replayed([FIRST, a_log(log)[4]], 3)[1][0]


def test_a_log_without_its_beginning_is_named() -> None:
    log = a_log(written(simulate(JOURNEYS, [*known(), did("Began", "09:00")])))
    assert ["events/2: its beginning is gone, so contacts are not known as they were"] == replayed(log[1:], 2)[1]


def test_partitions_are_decided_each_for_itself() -> None:
    log = a_log(written(simulate(JOURNEYS, [*known(), did("Began", "09:00")])))
    recorded = [Recorded(0, "events", number, record) for number in (0, 1) for record in log]
    found = [it.record for it in replay(DEFINED, recorded, print)]
    assert found[: len(found) // 2] == found[len(found) // 2 :]
    assert found
