"""What is large harms itself only: epochs fit a record batch, rows stay writable, outputs fit their topics."""

from __future__ import annotations

import msgspec
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from services.evaluator.builder import STEP_BYTES, EpochBuilder
from services.evaluator.changelog.records import Stamp, contact_record_key, encode_outbox
from services.evaluator.core.effects import Advance
from services.evaluator.core.state import ContactState
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta, encode_meta
from services.evaluator.rows import Row, encode_row
from shared.journeys.model import Journey
from shared.log import LogRecord, Output, fits
from shared.messages import codec
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery
from shared.messages.event import Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.messages.topics import CHANGELOG, DELIVERIES, EVENTS, max_record_bytes
from tests.builders import a_journey, a_record, an_event, an_outcome, at, consented, identified
from tests.unit.evaluator.hosts import Host, commands, conserved, journal, letters, sent, told

KEYED = """
schema: journey/v1
id: keyed
version: 1
trigger: {type: event, event: Product Viewed}
entry: {key: event.properties.id}
policy: {topic: cart_reminders}
exit: [{reason: left, event: Leave}]
steps:
  - {id: settle, wait: {for: 1h, reset_by: [Ping]}}
  - {id: remind, send: {channels: [email], template: {email: {subject: "s", text: "TEXT"}}}}
"""
TRANSACTIONAL = KEYED.replace("topic: cart_reminders", "purpose: transactional")
LONG = 60_000


def keyed(length: int, text: str = KEYED) -> Journey:
    return a_journey(text.replace("TEXT", "x" * length))


def waiting(runs: int, length: int = LONG) -> Host:
    """A contact with ``runs`` runs whose timers are due together; each sends ``length`` bytes."""
    host = Host(keyed(length))
    host.known()
    for number in range(runs):
        host.take(an_event("Product Viewed", at("11:00") + number, id=f"p{number}"), at("11:00") + number)
    host.take(an_event("Ping", at("12:00")), at("12:00"))
    return host


def due(runs: int, length: int = LONG) -> Host:
    host = waiting(runs, length)
    host.take(Tick(partition=3), at("14:00"), None)
    return host


def fits_a_batch(epoch: Epoch) -> bool:
    """Whether the changelog takes the epoch as one batch, as ``ChangelogWriter`` makes it."""
    batch = BatchBuilder(max_record_bytes(CHANGELOG) - 64 * 1024, compression_type=0, is_transactional=False)
    records = [(contact_record_key(contact), value) for contact, value in epoch.rows.items()]
    records += [(b"o:1", encode_outbox(1, epoch.outputs)), (b"m", encode_meta(epoch.meta))]
    headers = Stamp(1, 1).headers()
    return all(batch.append(timestamp=0, key=key, value=value, headers=headers) for key, value in records)


def outcomes(epoch: Epoch) -> list[tuple[str, str | None]]:
    found = [codec.EVENTS.decode(value) for value in sent(epoch, EVENTS)]
    return [(it.status, it.reason) for it in found if isinstance(it, Outcome)]


# ---- epochs -------------------------------------------------------------------------------------------------------


def test_an_epoch_is_cut_between_the_timers_of_one_contact() -> None:
    """However many come due together: an epoch that no batch takes would stop the partition for good."""
    host = due(80)
    epochs = []
    while host.processor.has_due:
        epochs.append(host.processor.fire(500, caught_up=True))
        host.store.keep(epochs[-1])
    assert 9 <= len(epochs)
    assert all(fits_a_batch(epoch) for epoch in epochs)
    assert 80 == sum(len(commands(epoch)) for epoch in epochs)
    seqs = [record.seq for epoch in epochs for record in journal(epoch)]
    assert list(range(seqs[0], seqs[0] + 160)) == seqs
    assert 80 == conserved(host).timers_fired


def test_a_record_waits_until_all_timers_before_it_have_fired() -> None:
    """The epoch is cut before the record, which is offered again; the outcome is that of one large epoch."""
    host = waiting(80)
    record = host.append(an_event("Leave", at("14:00")), at("14:00"))
    epochs = [host.processor.process([record], caught_up=True)]
    host.store.keep(epochs[0])
    assert (0, record.offset, at("14:00")) == (
        epochs[0].consumed,
        epochs[0].meta.next_offset,
        epochs[0].meta.log_time,
    )
    while not epochs[-1].consumed:
        epochs.append(host.processor.process([record], caught_up=True))
        host.store.keep(epochs[-1])
    assert all(fits_a_batch(epoch) for epoch in epochs)
    assert 80 == sum(len(commands(epoch)) for epoch in epochs)
    assert [80 if epoch.consumed else 0 for epoch in epochs] == [len(sent(epoch, "cancels")) for epoch in epochs]
    conserved(host)


def test_a_restart_within_the_timers_of_a_contact_goes_on_where_it_was() -> None:
    host = waiting(30)
    record = host.append(an_event("Leave", at("14:00")), at("14:00"))
    host.store.keep(host.processor.process([record], caught_up=True))
    host.processor = host.started()
    host.offer([record])
    found = [codec.COMMANDS.decode(it.value).run_id for it in host.store.outputs if it.topic == "commands"]
    assert 30 == len(found) == len(set(found))
    assert () == host.row().state.runs


def test_one_row_longer_than_an_epoch_still_goes_on() -> None:
    """Each epoch begins with at least one timer."""
    host = due(8, 1_000)
    long = host.row()
    traits = {**long.state.traits, "bio": "x" * 600_000}
    state = ContactState("u:c1", runs=long.state.runs, traits=traits, consent=long.state.consent)
    host.store.keep(Epoch({"u:c1": encode_row(Row(state))}, (), host.processor.meta, 0))
    host.processor = host.started()
    fired = 0
    while host.processor.has_due:
        epoch = host.processor.fire(500, caught_up=True)
        host.store.keep(epoch)
        fired += len(epoch.lateness)
        assert fits_a_batch(epoch)
    assert 8 == fired


# ---- rows ---------------------------------------------------------------------------------------------------------


def test_what_a_row_holds_back_is_bounded_and_the_rest_is_skipped() -> None:
    host = waiting(20)
    host.take(Tick(partition=3), at("14:00"), None, caught_up=False)
    skipped = []
    while host.processor.has_due:
        epoch = host.processor.fire(500, caught_up=False)
        host.store.keep(epoch)
        skipped += outcomes(epoch)
        assert [] == commands(epoch)
    assert 4 == len(host.row().held)
    assert [("skipped", "backlog")] * 16 == skipped
    assert len(host.store.rows["u:c1"]) < (256 + 64) * 1024
    assert 4 == len(commands(host.processor.release(10)))


def test_a_skipped_message_gives_its_slot_back_through_the_log() -> None:
    host = waiting(5)
    host.take(Tick(partition=3), at("14:00"), None, caught_up=False)
    epoch = host.processor.fire(500, caught_up=False)
    host.store.keep(epoch)
    [value] = sent(epoch, EVENTS)
    settled = host.take(codec.EVENTS.decode(value), at("14:01"))
    assert [("skip", "backlog")] == told(settled)
    assert 4 == len(host.row().state.pending)


@pytest.mark.parametrize("stops", ["consent", "exit"])
def test_a_row_that_holds_much_refuses_nothing_that_stops_it(stops: str) -> None:
    """Put aside for the size of what it came to delete, a withdrawn consent would be followed by the message."""
    host = waiting(4)
    host.take(identified(at("12:01"), bio="x" * 200_000), at("12:01"))
    host.take(Tick(partition=3), at("14:00"), None, caught_up=False)
    host.store.keep(host.processor.fire(500, caught_up=False))
    assert 0 < len(host.row().held)
    event = (
        consented(at("14:30"), "cart_reminders", "revoked") if stops == "consent" else an_event("Leave", at("14:30"))
    )
    epoch = host.take(event, at("14:30"), caught_up=False)
    assert [] == host.errors
    assert {("skipped", "exited")} == set(outcomes(epoch))
    assert () == host.row().held


def full() -> Host:
    """A contact with one run whose row takes no more."""
    host = waiting(1, 100)
    host.take(identified(at("12:01"), bio="x" * 255_000), at("12:01"))
    number = 0
    while not host.errors:
        number += 1
        host.take(identified(at("12:02") + number, **{f"trait{number}": "x" * 100}), at("12:02") + number)
    host.errors.clear()
    return host


def test_a_full_row_takes_what_stops_messages() -> None:
    host = full()
    epoch = host.take(consented(at("12:30"), "another_topic_of_some_length" * 20, "revoked"), at("12:30"))
    assert [] == letters(epoch)
    assert [("exited", "left")] == told(host.take(an_event("Leave", at("12:31")), at("12:31")))
    assert [] == host.errors


def test_a_full_row_takes_an_outcome() -> None:
    host = full()
    [command] = commands(host.tick(at("14:00")))
    host.take(an_outcome(command, "sent", at("14:01")), at("14:01"))
    assert ((), []) == (host.row().state.pending, host.errors)


def test_an_exit_too_long_to_start_a_run_still_ends_one_and_is_put_aside_as_well() -> None:
    again = KEYED.replace("id: keyed", "id: again").replace("event: Product Viewed", "event: Leave")
    host = Host(keyed(10), a_journey(again))
    host.known()
    host.take(an_event("Product Viewed", at("11:00"), id="p"), at("11:00"))
    epoch = host.take(an_event("Leave", at("11:01"), id="q", text="x" * 600_000), at("11:01"))
    assert [("exited", "left")] == told(epoch)
    assert ["BadMessageError"] == [letter.reason for letter in letters(epoch)]
    assert () == host.row().state.runs
    conserved(host)


def test_a_full_row_takes_nothing_else_and_the_reserve_has_an_end() -> None:
    host = full()
    assert 1 == len(letters(host.take(an_event("Product Viewed", at("12:30"), id="x" * 500), at("12:30"))))
    for number in range(300):
        host.take(consented(at("12:31") + number, f"{number}" * 1_000), at("12:31") + number)
    assert len(host.errors) > 1
    assert len(host.store.rows["u:c1"]) <= 512 * 1024


# ---- outputs ------------------------------------------------------------------------------------------------------


def test_a_message_larger_than_its_topic_takes_is_skipped() -> None:
    """Published, it would be refused, and sent again after each restart."""
    host = Host(a_journey(KEYED.replace("TEXT", "🎁" * 249_000)))
    host.known()
    host.take(identified(at("11:00"), bio="x" * 60_000), at("11:00"))
    host.take(an_event("Product Viewed", at("12:00"), id="p"), at("12:00"))
    epoch = host.tick(at("14:00"))
    assert ([], [("skipped", "too_large")]) == (commands(epoch), outcomes(epoch))
    assert all(fits(output) for output in epoch.outputs)
    [value] = sent(epoch, EVENTS)
    assert [("skip", "too_large")] == told(host.take(codec.EVENTS.decode(value), at("14:01")))


def test_the_messages_of_one_timer_share_one_limit() -> None:
    """Else a journey of many long steps makes an epoch that no batch takes."""
    more = "".join(
        f'  - {{id: s{number}, send: {{channels: [email], template: {{email: {{subject: "s", text: "TEXT"}}}}}}}}\n'
        for number in range(9)
    )
    host = Host(a_journey((TRANSACTIONAL + more).replace("TEXT", "x" * 20_000)))
    host.known()
    host.take(identified(at("11:00"), bio="x" * 200_000), at("11:00"))
    host.take(an_event("Product Viewed", at("12:00"), id="p"), at("12:00"))
    epoch = host.tick(at("14:00"))
    assert 4 == len(commands(epoch))
    assert [("skipped", "too_large")] * 6 == outcomes(epoch)
    assert fits_a_batch(epoch)


def test_the_largest_message_fits_into_its_row_in_deliveries() -> None:
    """``deliveries`` takes no more than ``commands`` does, and keeps the command while it is deferred."""
    command = SendCommand(
        command_id="c",
        contact="u:" + "x" * 1_022,
        run_id="r",
        journey="cart",
        version=1,
        step="remind",
        channels=("email",),
        addresses={},
        content={},
        data={"bio": ""},
        purpose="marketing",
        on_ambiguous="hold",
        decided_at=0,
    )
    room = STEP_BYTES - len(codec.encode(command))
    largest = msgspec.structs.replace(command, data={"bio": "x" * room})
    assert STEP_BYTES == len(codec.encode(largest))
    row = Delivery(command_id="c", status="deferred", at=0, retry_at=0, command=largest)
    assert fits(Output(DELIVERIES, largest.contact.encode(), codec.encode(row)))


def test_a_journal_record_that_is_too_large_loses_its_details() -> None:
    record = JournalRecord(
        id="j1",
        contact="u:c1",
        seq=1,
        at=0,
        decision="skip",
        journey="cart",
        version=1,
        cause="m" * 1_000,
        reason="r" * 600_000,
        detail={"why": "x" * 600_000},
    )
    build = EpochBuilder(3, Meta())
    build.take(Row(ContactState("u:c1")), Advance(ContactState("u:c1"), journal=(record,)), caught_up=True)
    [found] = journal(build.finish({}, 1))
    assert ({}, "m" * 200, "r" * 200, 1) == (found.detail, found.cause, found.reason, found.seq)


def test_a_dead_letter_that_is_too_large_loses_the_record_and_keeps_its_place() -> None:
    build = EpochBuilder(3, Meta())
    build.dead_letter(LogRecord(7, 0, b"u:c1", b"x" * 2_000_000), ValueError("bad"))
    epoch = build.finish({}, 1)
    [letter] = letters(epoch)
    assert (7, "ValueError", None, None) == (letter.offset, letter.reason, letter.key, letter.value)
    assert all(fits(output) for output in epoch.outputs)


@pytest.mark.parametrize(
    ("key", "message_id"), [("u:" + "x" * 1_022, "m"), ("u:" + "x" * 1_023, "m"), ("u:c1", "m" * 1_025)]
)
def test_an_id_that_would_come_back_in_every_output_is_put_aside(key: str, message_id: str) -> None:
    host = Host()
    epoch = host.offer([a_record(0, an_event("Browsed", at("10:00"), message_id=message_id), key=key)])
    assert int(len(key) + len(message_id) > 1_025) == len(letters(epoch))
