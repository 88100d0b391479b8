"""The judge of the fault harness finds what it is there to find, and nothing where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from services.evaluator.meta import Counters
from services.evaluator.rows import Row, decode_row, encode_row
from shared.journeys.parse import parse_journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Cancel
from shared.messages.event import Tick
from shared.messages.topics import INCARNATION_KEY
from tests.builders import an_event, an_outcome, at
from tests.faults.judge import FAULTS, Findings, Written, judge_partition, total
from tests.oracle import judge

JOURNEYS = [
    parse_journey(
        "cart.yaml",
        """
schema: journey/v1
id: cart
version: 1
trigger: {type: event, event: Product Added}
exit: [{reason: converted, event: Order Completed}]
policy: {purpose: transactional}
steps:
  - {id: settle, wait: {for: 10s}}
  - {id: remind, send: {channels: [email], template: {email: {subject: Hello, text: Hello}}}}
  - {id: tell, emit: {event: Reminded}}
  - {id: pause, wait: {for: 10s}}
  - {id: again, send: {channels: [email], template: {email: {subject: Again, text: Hello}}}}
""",
    )
]


def _log(*messages: tuple[int, Any]) -> list[LogRecord]:
    first = LogRecord(0, at("09:00"), INCARNATION_KEY, b"x")
    return [
        first,
        *(
            LogRecord(number, when, None if isinstance(it, Tick) else b"u:c1", codec.encode(it))
            for number, (when, it) in enumerate(messages, start=1)
        ),
    ]


def _records(messages: Sequence[msgspec.Struct]) -> list[LogRecord]:
    return [LogRecord(number, 0, b"u:c1", codec.encode(it)) for number, it in enumerate(messages)]


@pytest.fixture
def written() -> Written:
    """What a worker that does everything right writes of one contact, who gets both messages."""
    said = msgspec.structs.replace(
        an_event("Identified", at("09:00")), type="identify", traits={"email": "c1@example.jp"}, message_id="said"
    )
    added = an_event("Product Added", at("09:00:01"), message_id="added")
    begin = [(at("09:00"), said), (at("09:00:01"), added), (at("09:00:12"), Tick(partition=0))]
    verdict = judge(JOURNEYS, _log(*begin))
    [emitted] = verdict.events
    [command] = verdict.commands
    log = _log(
        *begin,
        (at("09:00:13"), emitted),
        (at("09:00:14"), an_outcome(command, "sent", at("09:00:14"))),
        (at("09:00:30"), Tick(partition=0)),
        (at("09:00:31"), an_event("Late", at("09:00:31"), message_id="late")),
    )
    verdict = judge(JOURNEYS, log)
    assert len(verdict.commands) == 2
    return Written(
        events=log,
        journal=_records(verdict.journal),
        commands=_records(verdict.commands),
        cancels=(),
        rows={contact: encode_row(Row(state)) for contact, state in verdict.states.items()},
        counters=Counters(
            records=8,
            applied=5,
            other=3,
            timers_armed=2,
            timers_fired=2,
            decisions=len(verdict.journal),
            commands=2,
        ),
        accepted=frozenset({"said", "added", "late"}),
    )


def _found(findings: Findings) -> dict[str, int]:
    return {name: getattr(findings, name) for name in FAULTS if getattr(findings, name)}


def test_nothing_is_found_where_nothing_is_wrong(written: Written) -> None:
    found = judge_partition(JOURNEYS, written)
    assert found.clean, found.examples
    assert (8, 2, 0) == (found.events, found.commands, found.repeated)


def _without(topic: str, index: int) -> Callable[[Written], None]:
    def spoil(written: Written) -> None:
        records = list(getattr(written, topic))
        del records[index]
        setattr(written, topic, records)

    return spoil


def _changed(topic: str, index: int, **fields: Any) -> Callable[[Written], None]:
    """Write the record with other fields in its place."""

    def spoil(written: Written) -> None:
        records = list(getattr(written, topic))
        records[index] = _with(records[index], topic, **fields)
        setattr(written, topic, records)

    return spoil


def _again(topic: str, index: int, **fields: Any) -> Callable[[Written], None]:
    """Write the record a second time, with other fields."""

    def spoil(written: Written) -> None:
        records = list(getattr(written, topic))
        setattr(written, topic, [*records, _with(records[index], topic, **fields)])

    return spoil


def _with(record: LogRecord, topic: str, **fields: Any) -> LogRecord:
    decoders: dict[str, Any] = {"journal": codec.JOURNAL, "commands": codec.COMMANDS, "events": codec.EVENTS}
    return msgspec.structs.replace(
        record, value=codec.encode(msgspec.structs.replace(decoders[topic].decode(record.value), **fields))
    )


def _turned_round(topic: str) -> Callable[[Written], None]:
    def spoil(written: Written) -> None:
        setattr(written, topic, list(reversed(getattr(written, topic))))

    return spoil


def _cancelled(written: Written) -> None:
    written.cancels = _records([Cancel(command_id="nobody's", contact="u:c1", reason="converted", at=1)])


def _forgot_the_row(written: Written) -> None:
    written.rows = {}


def _kept_too_much(written: Written) -> None:
    written.rows = {**written.rows, "u:nobody": next(iter(written.rows.values()))}


def _counted_twice(written: Written) -> None:
    """What a table does that applies an event again: the state is ahead of the log."""
    [(contact, value)] = written.rows.items()
    row = decode_row(value)
    state = msgspec.structs.replace(row.state, seq=row.state.seq + 1)
    written.rows = {contact: encode_row(msgspec.structs.replace(row, state=state))}


def _miscounted(written: Written) -> None:
    written.counters = written.counters.plus(timers_fired=-1)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without("journal", 0), {"lost": 1}),
        (_without("commands", 1), {"lost": 1}),
        (_without("events", -1), {"lost": 1, "wrong_rows": 1, "unbalanced": 1}),
        (_without("events", 4), {"lost": 1, "wrong_rows": 1, "unbalanced": 1}),
        (_again("commands", 0, decided_at=1), {"doubled": 1}),
        (_again("commands", 0, command_id="another"), {"doubled": 1}),
        (_again("journal", 0, id="another"), {"doubled": 1}),
        (_changed("events", 4, name="Other"), {"doubled": 1}),
        (_cancelled, {"doubled": 1}),
        (_changed("journal", 1, at=1), {"mistimed": 1}),
        (_changed("commands", 0, decided_at=1), {"mistimed": 1}),
        (_changed("commands", 1, content={}), {"altered": 1}),
        (_turned_round("commands"), {"disordered": 1}),
        (_forgot_the_row, {"wrong_rows": 1}),
        (_kept_too_much, {"wrong_rows": 1}),
        (_counted_twice, {"wrong_rows": 1}),
        (_miscounted, {"unbalanced": 1}),
    ],
)
def test_each_fault_is_found_and_named(
    written: Written, spoil: Callable[[Written], None], expected: dict[str, int]
) -> None:
    spoil(written)
    assert expected.items() <= _found(judge_partition(JOURNEYS, written)).items()


def test_what_was_written_again_with_the_same_bytes_is_no_fault(written: Written) -> None:
    _again("commands", 0)(written)
    _again("journal", 0)(written)
    found = judge_partition(JOURNEYS, written)
    assert found.clean, found.examples
    assert 2 == found.repeated


def test_a_command_that_the_evaluator_ended_itself_need_not_be_published() -> None:
    added = an_event("Product Added", at("09:00:01"), message_id="added")
    said = msgspec.structs.replace(
        an_event("Identified", at("09:00")), type="identify", traits={"email": "c1@example.jp"}, message_id="said"
    )
    begin = [(at("09:00"), said), (at("09:00:01"), added), (at("09:00:12"), Tick(partition=0))]
    [command] = judge(JOURNEYS, _log(*begin)).commands
    log = _log(*begin, (at("09:00:13"), an_outcome(command, "skipped", at("09:00:13"), "converted")))
    journal = _records(judge(JOURNEYS, log).journal)
    emitted = judge(JOURNEYS, log).events
    found = judge_partition(JOURNEYS, Written(events=log, journal=journal))
    assert (1, len(emitted)) == (found.withdrawn, found.lost)


def test_an_event_that_has_a_second_effect_is_found(written: Written) -> None:
    """The same messageId once more: a worker that applies it again decides what the judge does not."""
    repeat = msgspec.structs.replace(written.events[2], offset=8, timestamp=at("09:00:32"))
    written.events = [*written.events, repeat]
    written.counters = written.counters.plus(records=1, duplicate=1)
    assert judge_partition(JOURNEYS, written).clean
    written.counters = written.counters.plus(timers_armed=1)
    second = msgspec.structs.replace(codec.JOURNAL.decode(written.journal[0].value), id="second", seq=9)
    written.journal = [*written.journal, *_records([second])]
    assert {"doubled": 1, "unbalanced": 1} == _found(judge_partition(JOURNEYS, written))


def test_the_sum_is_over_all_partitions(written: Written) -> None:
    _without("commands", 1)(written)
    found = judge_partition(JOURNEYS, written)
    both = total([found, found])
    assert (2, 16, 2) == (both.lost, both.events, len(both.examples))
    assert not both.clean
