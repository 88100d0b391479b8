"""One partition's records become epochs: what is applied, what is repeated, what a restart keeps."""

from __future__ import annotations

import msgspec
import pytest

from services.evaluator import row_cache
from services.evaluator.core.state import NEVER, ContactState
from services.evaluator.meta import Counters, decode_meta
from services.evaluator.rows import Row, encode_row
from tests.builders import a_journey, a_record, an_event, an_outcome, at, identified
from tests.unit.evaluator.hosts import Host, commands, conserved, letters, told

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
    assert [("not_entered", "duplicate_event"), ("not_entered", "already_inside")] == told(epoch)
    assert (1, at("10:05")) == (host.row().offset, epoch.meta.log_time)


def test_the_same_message_twice_is_a_duplicate() -> None:
    host = Host()
    host.known()
    epoch = host.take(an_event("Product Added", at("10:00"), name="Kettle"), at("10:20"))
    assert [("not_entered", "duplicate_event")] == told(epoch)
    assert ("duplicate",) == epoch.remarks
    assert 1 == conserved(host).duplicate


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
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 2)
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
            decisions=12,
        )
        == counters
    )
