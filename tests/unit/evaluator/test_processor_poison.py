"""What a processor refuses: poison is put aside, a journey that raises loses its own run only."""

from __future__ import annotations

from typing import Any

import pytest

from services.evaluator.bounds import ROW_BYTES
from services.evaluator.core.send import send
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.event import Marker, Tick
from shared.messages.topics import EVENTS_DLQ, INCARNATION_KEY
from tests.builders import CART, a_journey, an_event, at, identified
from tests.unit.evaluator.hosts import BAD, CONFIRMATION, Host, commands, conserved, journal, letters, told

# ---- poison -------------------------------------------------------------------------------------------------------

GOOD = codec.encode(an_event("Product Added", at("10:00")))


@pytest.mark.parametrize(
    ("key", "value", "detail"),
    [
        ("u:c1", b"\x01\x00{not json", "malformed"),
        ("u:c1", b"", "empty"),
        ("u:c1", b"\x02" + GOOD[1:], "schema version 2"),
        ("u:c1", b"\x01\x03key" + GOOD[2:], "encrypted"),
        ("u:c1", b'\x01\x00{"kind":"surprise"}', "surprise"),
        (None, GOOD, "no key"),
    ],
)
def test_a_poison_record_is_put_aside_and_the_others_go_on(key: str | None, value: bytes, detail: str) -> None:
    """With its place and the reason, whole, so that it can be offered again."""
    host = Host()
    records = [
        host.append(identified(at("08:00")), at("08:00")),
        host.append(value, at("09:00"), key),
        host.append(an_event("Product Added", at("10:00")), at("10:00")),
    ]
    epoch = host.offer(records)
    [letter] = letters(epoch)
    assert ("events", 3, 1, "BadMessageError") == (letter.topic, letter.partition, letter.offset, letter.reason)
    assert detail in letter.detail
    assert (records[1].key, records[1].value, at("09:00")) == (letter.key, letter.value, letter.at)
    assert [("entered", None)] == told(epoch)
    assert (2, 1) == (conserved(host).applied, conserved(host).dead_lettered)
    assert [("event_dead_lettered", "BadMessageError")] == host.errors


def test_a_key_that_is_no_text_is_put_aside() -> None:
    host = Host()
    epoch = host.offer([LogRecord(0, at("10:00"), b"u:\xff", GOOD)])
    assert ["UnicodeDecodeError"] == [letter.reason for letter in letters(epoch)]


def test_a_number_that_no_row_can_hold_is_put_aside() -> None:
    """JSON knows no largest integer, the rows' format does: such a record must not stop the partition."""
    host = Host()
    epoch = host.take(identified(at("08:00"), account=2**64), at("08:00"))
    assert ["OverflowError"] == [letter.reason for letter in letters(epoch)]
    assert {} == epoch.rows
    assert () == host.take(identified(at("08:01"), account=2**64 - 1), at("08:01")).outputs


def test_an_event_of_before_1970_is_applied() -> None:
    """Its timers are overdue beyond what a row's head can say."""
    journey = CART.replace(", max_age: 30m", "").replace("after: 10d", "after: 30000d")
    host = Host(a_journey(journey))
    epoch = host.take(an_event("Product Added", -5_000_000_000, received=at("10:00")), at("10:00"))
    assert [] == letters(epoch)
    assert ["entered", "skip", "skip", "exited"] == [record.decision for record in journal(epoch)]


def test_ticks_markers_and_the_logs_first_record_are_no_contacts_business() -> None:
    host = Host()
    records = [
        LogRecord(0, at("08:00"), INCARNATION_KEY, b"\x00\x01"),
        LogRecord(1, at("08:01"), None, codec.encode(Tick(partition=3))),
        LogRecord(2, at("08:02"), None, codec.encode(Marker(number=1, order="stop", journey="j", version=1, at=0))),
    ]
    epoch = host.offer(records)
    assert ({}, (), 3) == (epoch.rows, epoch.outputs, epoch.meta.counters.other)
    assert at("08:02") == epoch.meta.log_time


def test_a_record_that_makes_its_row_too_long_is_put_aside_and_leaves_nothing() -> None:
    """Neither in the row nor in the journal: what was decided on the way was not decided."""
    host = Host()
    host.take(identified(at("08:00"), email="a@example.jp"), at("08:00"))
    before = host.row()
    epoch = host.take(an_event("Product Added", at("10:00"), text="x" * 300_000), at("10:00"))
    assert [("BadMessageError", 1)] == [(letter.reason, letter.offset) for letter in letters(epoch)]
    assert [EVENTS_DLQ] == [output.topic for output in epoch.outputs]
    assert before == host.row()
    assert 1 == conserved(host).dead_lettered
    after = host.take(an_event("Product Added", at("10:10"), text="x"), at("10:10"))
    assert [("entered", None, 1)] == [(record.decision, record.reason, record.seq) for record in journal(after)]


def test_a_row_that_grows_bit_by_bit_is_bounded() -> None:
    host = Host()
    for number in range(10):
        host.take(identified(at(f"09:0{number}"), **{f"trait{number}": "x" * 50_000}), at(f"09:0{number}"))
    assert 5 == conserved(host).dead_lettered
    assert len(host.store.rows["u:c1"]) <= ROW_BYTES


# ---- a journey that raises ----------------------------------------------------------------------------------------


@pytest.fixture
def bad_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every send of the journey ``bad`` raises."""

    def raising(draft: Any, plan: Any, run: Any, step: Any) -> bool:
        goes_on = send(draft, plan, run, step)
        if run.journey == "bad":
            raise ZeroDivisionError("a bug")
        return goes_on

    monkeypatch.setattr("services.evaluator.core.steps.send", raising)


@pytest.mark.usefixtures("bad_sends")
def test_a_journey_that_raises_at_a_timer_loses_its_own_run_only() -> None:
    host = Host(a_journey(), a_journey(BAD))
    host.known()
    host.known(key="u:c2")
    epoch = host.tick(at("10:46"))
    decisions = [(it.contact, it.journey, it.decision, it.reason) for it in journal(epoch)]
    assert [
        ("u:c1", "bad", "exited", "error"),
        ("u:c1", "cart", "send", None),
        ("u:c2", "bad", "exited", "error"),
        ("u:c2", "cart", "send", None),
    ] == decisions
    assert ["cart", "cart"] == [command.journey for command in commands(epoch)]
    assert [("timer_raised", "ZeroDivisionError")] * 2 == host.errors
    conserved(host)


@pytest.mark.usefixtures("bad_sends")
def test_a_journey_that_raises_at_an_event_is_not_entered_and_the_event_does_its_work() -> None:
    """An order confirmation with a bug must not keep a bought cart's reminders alive."""
    bad = CONFIRMATION.replace("id: confirmation", "id: bad")
    host = Host(a_journey(), a_journey(bad), a_journey(CONFIRMATION))
    host.known()
    epoch = host.take(an_event("Order Completed", at("10:10"), total=1), at("10:10"))
    assert [
        ("cart", "exited", "converted"),
        ("bad", "not_entered", "error"),
        ("confirmation", "entered", None),
        ("confirmation", "send", None),
        ("confirmation", "exited", "completed"),
    ] == [(it.journey, it.decision, it.reason) for it in journal(epoch)]
    assert ["confirmation"] == [command.journey for command in commands(epoch)]
    assert [2, 3, 4, 5, 6] == [record.seq for record in journal(epoch)]
    conserved(host)


def test_an_event_on_which_the_core_raises_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    host.known()
    before = host.row()

    def raising(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("services.evaluator.core.happening.exit_by_event", raising)
        epoch = host.take(an_event("Order Completed", at("10:10"), total=1), at("10:10"))
    assert ["ZeroDivisionError"] == [letter.reason for letter in letters(epoch)]
    assert before == host.row()
    assert ("exited", "converted") == told(host.take(an_event("Order Completed", at("10:20")), at("10:20")))[0]
