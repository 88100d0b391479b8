"""A new catalogue reaches every contact, a few at a time, and whoever is touched before anything else happens."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluator import row_cache
from services.evaluator.core.catalog import build_catalog
from services.evaluator.epoch import Epoch
from services.evaluator.meta import decode_meta
from services.evaluator.rows import decode_row, encode_row
from shared.clock import HOUR, from_iso
from shared.journeys.model import Journey
from shared.messages import codec
from shared.messages.coordination import Ask
from shared.messages.event import Tick
from shared.messages.topics import JOURNAL
from shared.walltime.zones import load_zone
from tests.unit.evaluator.dated import dated, shown, told
from tests.unit.evaluator.hosts import Host, conserved

NOON = from_iso("2026-03-02T12:00")
NINE = from_iso("2026-03-03T09:00")
DAILY = 'type: schedule, cron: "0 9 * * *"'
BIRTHDAY = "type: date, property: contact.birthday"
CONTACTS = tuple(f"u:{number}" for number in range(10))


def a_host(*journeys: Journey, contacts: Iterable[str] = CONTACTS) -> Host:
    """A host that has known its contacts since noon."""
    host = Host(*journeys)
    for contact in contacts:
        host.take(told("2026-03-02T12:00", birthday="1990-03-03"), NOON, contact)
    return host


def publish(host: Host, *journeys: Journey) -> None:
    """Start again with other journeys."""
    host.catalog = build_catalog(journeys)
    host.processor = host.started()


def keep(host: Host, epoch: Epoch) -> Epoch:
    host.store.keep(epoch)
    return epoch


def sweep(host: Host, limit: int) -> int:
    return len(keep(host, host.processor.sweep(limit, caught_up=True)).rows)


def entries(host: Host) -> list[tuple[str, str]]:
    """Return who entered, and when."""
    journal = [codec.JOURNAL.decode(it.value) for it in host.store.outputs if it.topic == JOURNAL]
    return sorted((record.contact, shown(record.at)) for record in journal if record.decision == "entered")


def run_to(host: Host, when: int) -> None:
    host.take(Tick(partition=3), when, None)
    while host.processor.has_due:
        keep(host, host.processor.fire(3, caught_up=True))


# ---- who is armed -------------------------------------------------------------------------------------------------


def test_a_contact_is_armed_at_first_sight() -> None:
    host = a_host(dated(DAILY))
    assert 0 == host.processor.behind
    assert CONTACTS == tuple(contact for contact in CONTACTS if host.row(contact).state.next_due == NINE)


def test_every_silent_contact_is_armed_by_a_sweep_in_chunks() -> None:
    host = a_host()
    publish(host, dated(DAILY), dated(BIRTHDAY, journey="birthday"))
    assert 10 == host.processor.behind
    assert [4, 4, 2, 0] == [sweep(host, 4) for _ in range(4)]
    run_to(host, NINE + 1)
    assert [(contact, when) for contact in CONTACTS for when in ("2026-03-03T00:00", "2026-03-03T09:00")] == entries(
        host
    )
    conserved(host)


def test_a_sweep_of_everyone_drives_no_row_that_is_in_use_out_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 2)
    host = a_host()
    publish(host, dated(DAILY))
    for contact in ("u:3", "u:7"):
        host.take(told("2026-03-02T12:01", tier="gold"), NOON + 1, contact)
    assert 8 == sweep(host, 10)
    host.store.rows["u:3"] = host.store.rows["u:7"] = b"nobody reads this"
    for contact in ("u:3", "u:7"):
        host.take(told("2026-03-02T12:02", tier="silver"), NOON + 2, contact)
    assert {"silver"} == {host.row(contact).state.traits["tier"] for contact in ("u:3", "u:7")}


def test_a_contact_that_is_touched_adopts_first() -> None:
    """Its own record comes a day late for it: what it would have been waiting for happens before."""
    host = a_host()
    publish(host, dated(DAILY))
    host.take(told("2026-03-04T12:00", tier="gold"), from_iso("2026-03-04T12:00"), "u:3")
    assert [("u:3", "2026-03-03T09:00"), ("u:3", "2026-03-04T09:00")] == entries(host)
    assert 9 == host.processor.behind


def test_adoption_counts_from_when_the_catalogue_came_and_not_from_the_sweep() -> None:
    host = a_host()
    publish(host, dated(DAILY))
    run_to(host, NINE + HOUR)
    sweep(host, 10)
    assert [(contact, "2026-03-03T09:00") for contact in CONTACTS] == entries(host)


def test_what_was_due_before_the_catalogue_came_fires_before_it_is_adopted() -> None:
    host = a_host(dated(DAILY))
    host.take(Tick(partition=3), NINE + HOUR, None)
    publish(host, dated(DAILY), dated('type: schedule, cron: "30 9 * * *"', journey="other"))
    run_to(host, NINE + 2 * HOUR)
    sweep(host, 10)
    assert [(contact, "2026-03-03T09:00") for contact in CONTACTS] == entries(host)


def test_what_the_catalogue_no_longer_asks_for_is_dropped() -> None:
    host = a_host(dated(DAILY), dated(BIRTHDAY, journey="birthday"))
    publish(host, dated(BIRTHDAY, journey="birthday"))
    sweep(host, 10)
    assert {("date:birthday/0",)} == {tuple(host.row(contact).state.watches) for contact in CONTACTS}
    publish(host)
    assert 10 == sweep(host, 10)
    assert {()} == {tuple(host.row(contact).state.watches) for contact in CONTACTS}
    conserved(host)


def test_a_catalogue_that_asks_for_the_same_dates_is_adopted_already() -> None:
    """Also when whom they let in has changed, which is asked at each date."""
    host = a_host(dated(DAILY))
    publish(host, dated(f"{DAILY}, where: contact.tier == 'gold'", entry="priority: 90"))
    assert 0 == host.processor.behind
    run_to(host, NINE + 1)
    assert [] == entries(host)


def test_a_journeys_own_row_adopts_nothing() -> None:
    host = a_host(dated(DAILY))
    ask = Ask(message_id="a", contact="u:1", journey="greeting", version=1, at=NOON)
    host.take(ask, NOON, "j:greeting")
    publish(host, dated(BIRTHDAY))
    assert 10 == host.processor.behind
    host.take(Ask(message_id="b", contact="u:1", journey="greeting", version=1, at=NOON), NOON, "j:greeting")
    assert {} == host.row("j:greeting").state.watches


def test_rows_of_the_first_version_adopt_as_well() -> None:
    host = a_host(dated(DAILY))
    for contact, value in host.store.rows.items():
        body = encode_row(decode_row(value))[21:]
        host.store.rows[contact] = value[:12] + b"\x01" + body
    publish(host, dated(DAILY))
    assert 10 == host.processor.behind
    sweep(host, 10)
    run_to(host, NINE + 1)
    assert 10 == len(entries(host))


def test_a_contact_that_cannot_adopt_harms_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    host = a_host()
    publish(host, dated(DAILY))

    def raising(draft: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("services.evaluator.core.advance.adopt", raising)
        assert 1 == sweep(host, 1)
    assert [("timer_raised", "ZeroDivisionError")] == host.errors
    sweep(host, 10)
    run_to(host, NINE + 1)
    assert 9 == len(entries(host))


# ---- restarts -----------------------------------------------------------------------------------------------------


def test_a_restart_in_the_middle_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the heads of the rows: no row is decoded to find out."""
    host = a_host()
    publish(host, dated(DAILY))
    sweep(host, 3)
    with monkeypatch.context() as patched:
        patched.setattr("services.evaluator.processor.decode_row", None)
        host.processor = host.started()
        assert 7 == host.processor.behind
    assert [4, 3, 0] == [sweep(host, 4) for _ in range(3)]
    assert NOON == decode_meta(host.store.meta or b"").catalog_since
    run_to(host, NINE + 1)
    assert [(contact, "2026-03-03T09:00") for contact in CONTACTS] == entries(host)
    assert 20 == conserved(host).timers_armed


def test_a_sweep_that_was_not_saved_is_begun_again() -> None:
    host = a_host()
    publish(host, dated(DAILY))
    host.processor.sweep(5, caught_up=True)
    host.processor = host.started()
    assert [10, 0] == [sweep(host, 100) for _ in range(2)]
    run_to(host, NINE + 1)
    assert [(contact, "2026-03-03T09:00") for contact in CONTACTS] == entries(host)
    conserved(host)


def test_a_catalogue_that_comes_in_the_middle_of_a_sweep_reaches_everyone_once() -> None:
    host = a_host()
    publish(host, dated(DAILY))
    sweep(host, 4)
    publish(host, dated(DAILY), dated(BIRTHDAY, journey="birthday"))
    assert 10 == host.processor.behind
    sweep(host, 3)
    host.processor = host.started()
    assert 7 == host.processor.behind
    sweep(host, 10)
    run_to(host, NINE + 1)
    assert 20 == len(entries(host)) == len(set(entries(host)))
    conserved(host)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("sweep"), st.integers(1, 4)),
            st.tuples(st.just("fire"), st.integers(1, 4)),
            st.tuples(st.just("offer"), st.integers(1, 5)),
            st.tuples(st.just("restart"), st.just(0)),
        ),
        max_size=25,
    )
)
def test_no_decision_depends_on_the_order_of_a_sweep(actions: list[tuple[str, int]]) -> None:
    """Its chunks, what is in between, and how often it is interrupted: each contact's journal is the same."""
    assert journals([("sweep", 10), ("offer", 100)]) == journals(actions)


def journals(actions: list[tuple[str, int]]) -> dict[str, list[bytes]]:
    host = a_host(dated(BIRTHDAY, journey="birthday"), contacts=CONTACTS[:4])
    publish(host, dated(BIRTHDAY, journey="birthday"), dated(DAILY))
    records = [
        host.append(Tick(partition=3), NINE - 9 * HOUR, None),
        host.append(told("2026-03-03T01:00", timezone="Asia/Tokyo"), NINE - 8 * HOUR, "u:1"),
        host.append(told("2026-03-03T08:00", birthday="1990-03-05"), NINE - HOUR, "u:2"),
        host.append(Tick(partition=3), NINE + HOUR, None),
        host.append(told("2026-03-04T08:00", birthday="1990-03-04"), NINE + 23 * HOUR, "u:3"),
        host.append(Tick(partition=3), NINE + 48 * HOUR, None),
    ]
    first = records[0].offset

    def act(kind: str, count: int) -> None:
        if kind == "sweep":
            sweep(host, count)
        elif kind == "fire":
            keep(host, host.processor.fire(count, caught_up=True))
        elif kind == "restart":
            host.processor = host.started()
        else:
            begin = host.processor.meta.next_offset - first
            keep(host, host.processor.process(records[begin : begin + count], caught_up=True))

    for kind, count in actions:
        act(kind, count)
    while host.processor.meta.next_offset <= records[-1].offset or host.processor.behind or host.processor.has_due:
        for kind in ("offer", "sweep", "fire"):
            act(kind, 10)
    conserved(host)
    found: dict[str, list[bytes]] = {}
    for output in host.store.outputs:
        if output.topic == JOURNAL:
            found.setdefault((output.key or b"").decode(), []).append(output.value or b"")
    return found


# ---- the catalogue's number ---------------------------------------------------------------------------------------


def test_the_number_is_the_same_in_every_process() -> None:
    assert 0 == build_catalog([]).number
    journeys = [dated(DAILY), dated(BIRTHDAY, journey="birthday")]
    assert 8623066392064786470 == build_catalog(journeys).number == build_catalog(reversed(journeys)).number


@pytest.mark.parametrize(
    "journeys",
    [
        [dated(f'{DAILY}, timezone: "Asia/Tokyo"')],
        [dated(DAILY, journey="other")],
        [dated(DAILY), dated(BIRTHDAY, journey="birthday")],
        [dated('type: schedule, cron: "1 9 * * *"')],
    ],
)
def test_another_number_for_other_dates(journeys: list[Journey]) -> None:
    assert build_catalog([dated(DAILY)]).number != build_catalog(journeys).number


def test_another_number_in_another_zone() -> None:
    assert build_catalog([dated(DAILY)]).number != build_catalog([dated(DAILY)], load_zone("Asia/Tokyo")).number
