"""One partition's records become epochs: what is applied, what is refused, what is held back, what a restart keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from services.evaluator import processor as processor_module
from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.send import send
from services.evaluator.core.state import NEVER, ContactState
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Counters, decode_meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import Row, decode_row, encode_row
from shared.ids import outcome_id
from shared.journeys.model import Journey
from shared.log import LogRecord
from shared.messages import codec
from shared.messages.command import Cancel, SendCommand
from shared.messages.dead_letter import DeadLetter
from shared.messages.event import EventRecord, Marker, Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import EVENTS_DLQ, INCARNATION_KEY, JOURNAL, TopicName
from tests.builders import CART, a_journey, a_record, an_event, an_outcome, at, consented, identified
from tests.fakes import MemoryEpochs

CONFIRMATION = """
schema: journey/v1
id: confirmation
version: 1
trigger: {type: event, event: Order Completed}
policy: {purpose: transactional}
steps:
  - {id: confirm, send: {channels: [email], template: {email: {subject: "Thank you", text: "Hello"}}}}
"""
BAD = CART.replace("id: cart\n", "id: bad\n")
JOURNEYS = (a_journey(), a_journey(CONFIRMATION))


class Host:
    """Offers records and keeps what is saved, as a host does."""

    def __init__(self, *journeys: Journey, incarnation: str = "first") -> None:
        self.catalog = build_catalog(journeys or JOURNEYS)
        self.store = MemoryEpochs()
        self.errors: list[tuple[str, str]] = []
        self.log: list[LogRecord] = []
        self.incarnation = incarnation
        self.processor = self.started()

    def started(self) -> PartitionProcessor:
        """A processor made from what is saved."""
        return PartitionProcessor(
            partition=3,
            catalog=self.catalog,
            store=self.store,
            incarnation=self.incarnation,
            on_error=lambda action, error: self.errors.append((action, type(error).__name__)),
        )

    def append(self, message: EventRecord | bytes, when: int, key: str | None = "u:c1") -> LogRecord:
        value = message if isinstance(message, bytes) else codec.encode(message)
        record = LogRecord(len(self.log), when, None if key is None else key.encode(), value)
        self.log.append(record)
        return record

    def offer(self, records: Sequence[LogRecord], *, caught_up: bool = True) -> Epoch:
        """Process and save all of ``records``; returns the last epoch."""
        done = 0
        while True:
            epoch = self.processor.process(records[done:], caught_up=caught_up)
            self.store.keep(epoch)
            done += epoch.consumed
            if done >= len(records):
                return epoch

    def take(
        self, message: EventRecord | bytes, when: int, key: str | None = "u:c1", *, caught_up: bool = True
    ) -> Epoch:
        """Append one record and process it."""
        return self.offer([self.append(message, when, key)], caught_up=caught_up)

    def tick(self, when: int, *, caught_up: bool = True) -> Epoch:
        """Let the time come to ``when`` and fire what is due; returns the epoch of the firing."""
        self.take(Tick(partition=3), when, None, caught_up=caught_up)
        epoch = self.processor.fire(10, caught_up=caught_up)
        self.store.keep(epoch)
        return epoch

    def known(self, *, key: str = "u:c1", caught_up: bool = True) -> None:
        """A contact with an address, consent and a cart of 10:00."""
        for message in (
            identified(at("08:00"), email="a@example.jp"),
            consented(at("08:00"), "cart_reminders"),
            an_event("Product Added", at("10:00"), name="Kettle"),
        ):
            self.take(message, message.received_at, key, caught_up=caught_up)

    def row(self, contact: str = "u:c1") -> Row:
        return decode_row(self.store.rows[contact])


def sent(epoch: Epoch, topic: TopicName) -> list[bytes]:
    return [output.value or b"" for output in epoch.outputs if output.topic == topic]


def commands(epoch: Epoch) -> list[SendCommand]:
    return [codec.COMMANDS.decode(value) for value in sent(epoch, "commands")]


def journal(epoch: Epoch) -> list[JournalRecord]:
    return [codec.JOURNAL.decode(value) for value in sent(epoch, JOURNAL)]


def letters(epoch: Epoch) -> list[DeadLetter]:
    return [codec.DEAD_LETTERS.decode(value) for value in sent(epoch, EVENTS_DLQ)]


def told(epoch: Epoch) -> list[tuple[str, str | None]]:
    return [(record.decision, record.reason or record.step) for record in journal(epoch)]


def conserved(host: Host) -> Counters:
    """Check both sums of the counters and return them."""
    counters = decode_meta(host.store.meta or b"").counters
    into = counters.applied + counters.repeated + counters.duplicate + counters.dead_lettered + counters.other
    assert counters.records == into
    pending = sum(decode_row(value).state.armed_timers for value in host.store.rows.values())
    assert counters.timers_armed == counters.timers_fired + counters.timers_cancelled + pending
    return counters


# ---- epochs -------------------------------------------------------------------------------------------------------


def test_an_epoch_holds_rows_outputs_and_cursor_of_its_records() -> None:
    host = Host()
    event = an_event("Product Added", at("10:00"), name="Kettle")
    epoch = host.take(event, at("10:00"))
    assert ["u:c1"] == list(epoch.rows)
    assert [("entered", None)] == told(epoch)
    assert {("journal", b"u:c1", 3)} == {(output.topic, output.key, output.partition) for output in epoch.outputs}
    assert (1, at("10:00"), 1) == (epoch.meta.next_offset, epoch.meta.log_time, epoch.meta.epoch)
    assert [("cart", "entered", "")] == [(it.journey, it.decision, it.reason) for it in epoch.tallies]


def test_nothing_offered_is_an_empty_epoch_that_moves_nothing() -> None:
    host = Host()
    host.known()
    before = host.processor.meta
    epoch = host.processor.process([], caught_up=True)
    assert epoch.empty
    assert before == epoch.meta
    assert host.processor.fire(10, caught_up=True).empty
    assert host.processor.release(10).empty


def test_an_epoch_is_cut_by_size_and_the_rest_is_offered_again() -> None:
    """An epoch has to fit one record batch of the changelog, however much a fetch brought."""
    host = Host()
    records = [
        host.append(an_event("Browsed", at("10:00"), message_id=f"m{n}", text="x" * 10_000), at("10:00"), f"u:{n}")
        for n in range(3)
    ]
    events = [host.append(identified(at("10:00"), bio=f"{n}" * 100_000), at("10:00"), f"u:long{n}") for n in range(9)]
    first = host.processor.process([*records, *events], caught_up=True)
    assert 3 < first.consumed < 12
    assert first.consumed == first.meta.next_offset == len(first.rows)
    assert 512 * 1024 < sum(map(len, first.rows.values())) < 1024 * 1024
    host.store.keep(first)
    host.offer([*records, *events][first.consumed :])
    assert 12 == len(host.store.rows)


def test_dead_letters_count_for_the_size_of_an_epoch() -> None:
    """Otherwise a handful of large poison records makes an epoch that no record batch holds, and all stops for good."""
    host = Host()
    records = [host.append(b"\x01\x00{" + b"x" * 900_000, at("10:00")) for _ in range(4)]
    epoch = host.processor.process(records, caught_up=True)
    assert 1 == epoch.consumed == len(letters(epoch))


def test_log_time_never_goes_back() -> None:
    host = Host()
    host.take(an_event("Browsed", at("10:00")), at("10:00"))
    epoch = host.take(an_event("Browsed", at("09:00")), at("09:00"))
    assert at("10:00") == epoch.meta.log_time


# ---- repeats ------------------------------------------------------------------------------------------------------


def test_records_behind_the_cursor_change_nothing() -> None:
    host = Host()
    host.known()
    rows = dict(host.store.rows)
    before = conserved(host)
    epoch = host.offer(host.log)
    assert {} == epoch.rows
    assert () == epoch.outputs
    assert 3 == epoch.consumed
    assert rows == host.store.rows
    assert before == conserved(host)


def test_a_record_at_or_below_the_rows_offset_changes_nothing() -> None:
    """A row may be ahead of the cursor where the two are not saved together."""
    host = Host()
    host.known()
    meta = decode_meta(host.store.meta or b"")
    host.store.keep_meta(msgspec.structs.replace(meta, next_offset=1))
    host.processor = host.started()
    epoch = host.offer(host.log)
    assert {} == epoch.rows
    assert () == epoch.outputs
    assert 2 == epoch.meta.counters.repeated - meta.counters.repeated
    assert 3 == epoch.meta.next_offset


def test_another_incarnation_relies_on_the_message_ids() -> None:
    """A recreated topic counts from 0 again: its offsets say nothing about a row of the old one."""
    host = Host()
    host.known()
    host.incarnation = "second"
    host.processor = host.started()
    assert 0 == host.processor.meta.next_offset
    again = an_event("Product Added", at("10:00"), name="Kettle")
    fresh = an_event("Product Added", at("10:05"), name="Teapot")
    log = [a_record(0, again), a_record(1, fresh)]
    epoch = host.offer(log)
    assert (1, 1) == (epoch.meta.counters.duplicate, epoch.meta.counters.applied - 3)
    assert [("not_entered", "already_inside")] == told(epoch)
    assert (1, at("10:05")) == (host.row().offset, epoch.meta.log_time)


def test_the_same_message_twice_is_a_duplicate() -> None:
    host = Host()
    host.known()
    epoch = host.take(an_event("Product Added", at("10:00"), name="Kettle"), at("10:20"))
    assert () == epoch.outputs
    assert 1 == conserved(host).duplicate


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
    assert len(host.store.rows["u:c1"]) <= processor_module.ROW_BYTES


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
        patched.setattr("services.evaluator.core.advance.feed_waits", raising)
        epoch = host.take(an_event("Order Completed", at("10:10"), total=1), at("10:10"))
    assert ["ZeroDivisionError"] == [letter.reason for letter in letters(epoch)]
    assert before == host.row()
    assert ("exited", "converted") == told(host.take(an_event("Order Completed", at("10:20")), at("10:20")))[0]


# ---- commands held back -------------------------------------------------------------------------------------------


def test_while_behind_marketing_is_held_and_transactional_is_not() -> None:
    host = Host()
    host.known(caught_up=False)
    epoch = host.tick(at("10:46"), caught_up=False)
    assert [("send", "remind_1")] == told(epoch)
    assert [] == commands(epoch)
    assert host.processor.holding
    assert ["remind_1"] == [command.step for command in host.row().held]
    bought = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"), "u:c1", caught_up=False)
    assert ["confirm"] == [command.step for command in commands(bought)]


def test_the_exit_of_its_run_deletes_a_held_command_and_says_so_in_the_log() -> None:
    """The contact bought in the backlog: nobody outside ever hears of the reminder, its slot is given back."""
    host = Host(a_journey())
    host.known(caught_up=False)
    host.tick(at("10:46"), caught_up=False)
    [held] = host.row().held
    epoch = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"), caught_up=False)
    assert () == host.row().held
    assert not host.processor.holding
    assert [] == sent(epoch, "cancels")
    [value] = sent(epoch, "events")
    outcome = codec.EVENTS.decode(value)
    assert isinstance(outcome, Outcome)
    assert (outcome_id(held.command_id), held.command_id, "skipped", "exited", "email") == (
        outcome.message_id,
        outcome.command_id,
        outcome.status,
        outcome.reason,
        outcome.channel,
    )
    assert host.processor.unsettled
    settled = host.take(outcome, at("10:51"))
    assert [("skip", "exited")] == told(settled)
    assert not host.processor.unsettled
    assert host.processor.release(10).empty


def test_a_command_that_was_published_is_cancelled_where_it_was() -> None:
    host = Host(a_journey())
    host.known()
    [command] = commands(host.tick(at("10:46")))
    epoch = host.take(an_event("Order Completed", at("10:50"), total=1), at("10:50"))
    [cancel] = [codec.CANCELS.decode(value) for value in sent(epoch, "cancels")]
    assert Cancel(command_id=command.command_id, contact="u:c1", reason="exited", at=at("10:50")) == cancel
    assert [] == sent(epoch, "events")


def test_what_is_held_is_published_when_the_partition_has_caught_up() -> None:
    host = Host(a_journey())
    for contact in ("u:c1", "u:c2", "u:c3"):
        host.known(key=contact, caught_up=False)
    host.tick(at("10:46"), caught_up=False)
    first = host.processor.release(2)
    host.store.keep(first)
    assert ["u:c1", "u:c2"] == [command.contact for command in commands(first)]
    assert host.processor.holding
    second = host.processor.release(2)
    host.store.keep(second)
    assert ["u:c3"] == [command.contact for command in commands(second)]
    assert not host.processor.holding
    assert {()} == {host.row(contact).held for contact in ("u:c1", "u:c2", "u:c3")}
    assert 3 == conserved(host).commands
    assert host.processor.unsettled


# ---- timers -------------------------------------------------------------------------------------------------------


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


# ---- restart ------------------------------------------------------------------------------------------------------


def test_a_restart_from_saved_rows_knows_what_was_known() -> None:
    """Timers, unsettled and held commands come from the heads of the rows alone."""
    host = Host(a_journey())
    host.known(key="u:held", caught_up=False)
    host.known(key="u:sent")
    host.take(identified(at("08:00")), at("08:00"), "u:idle")
    host.tick(at("10:46"), caught_up=False)
    host.take(an_event("Product Added", at("10:46")), at("10:46"), "u:waiting")
    before, after = host.processor, host.started()
    assert (4, True, True) == (after.contacts, after.unsettled, after.holding)
    assert (before.contacts, before.timers, before.unsettled) == (after.contacts, after.timers, after.unsettled)
    assert before.next_due == after.next_due == at("11:31")
    assert before.meta == after.meta
    assert before.release(10).outputs == after.release(10).outputs
    for processor in (before, after):
        processor.process([a_record(100, an_event("Browsed", at("12:00", day=2)))], caught_up=True)
    assert before.fire(10, caught_up=True) == after.fire(10, caught_up=True)


def test_an_epoch_that_was_not_saved_is_decided_again_the_same() -> None:
    host = Host(a_journey())
    host.known()
    record = host.append(an_event("Order Completed", at("11:00"), total=1), at("11:00"))
    lost = host.processor.process([record], caught_up=True)
    host.processor = host.started()
    again = host.processor.process(host.log, caught_up=True)
    assert lost.rows == again.rows
    assert lost.outputs == again.outputs
    assert lost.meta == again.meta


def test_a_settled_command_is_not_unsettled_after_a_restart() -> None:
    host = Host(a_journey())
    host.known()
    [command] = commands(host.tick(at("10:46")))
    assert host.started().unsettled
    host.take(an_outcome(command, "sent", at("10:47")), at("10:47"))
    assert not host.processor.unsettled
    assert not host.started().unsettled


def test_rows_beyond_the_cache_are_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor_module, "CACHED_ROWS", 2)
    host = Host(a_journey())
    for number in range(6):
        host.known(key=f"u:{number}")
    host.tick(at("10:46"))
    assert {at("10:45", day=1)} == {host.row(f"u:{number}").state.next_due for number in range(6)}


def test_a_contact_without_a_timer_is_in_no_index() -> None:
    host = Host()
    host.store.rows["u:1"] = encode_row(Row(ContactState(contact="u:1")))
    assert (1, 0, NEVER) == (host.started().contacts, host.started().timers, host.started().next_due)


def test_both_conservation_sums_hold_over_a_day() -> None:
    host = Host()
    host.known()
    host.known(key="u:c2")
    host.take(b"poison", at("10:05"))
    host.take(an_event("Product Added", at("10:00"), name="Kettle"), at("10:06"))
    host.take(an_event("Product Viewed", at("10:10")), at("10:10"))
    host.tick(at("10:56"))
    host.take(an_event("Order Completed", at("11:00"), total=1), at("11:00"))
    host.tick(at("11:00", day=9))
    host.known(key="u:c3")
    host.take(an_event("Product Added", at("11:00", day=9)), at("11:00", day=9), "u:c4")
    counters = conserved(host)
    assert (
        Counters(
            records=16,
            applied=12,
            duplicate=1,
            dead_lettered=1,
            other=2,
            timers_armed=10,
            timers_fired=4,
            timers_cancelled=4,
            commands=4,
            decisions=13,
        )
        == counters
    )
