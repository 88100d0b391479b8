"""Conditions and expressions, evaluated against one contact at one moment."""

from __future__ import annotations

import pytest

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.conditions import Scope, holds, value_of
from services.evaluator.core.slots import history_key
from services.evaluator.core.state import Consent, ContactState, Run
from shared.journeys.predicate import (
    All,
    Any,
    Bucket,
    Channel,
    Condition,
    Consented,
    Expression,
    InJourney,
    Not,
    Performed,
    Reachable,
    TimeIs,
)
from shared.walltime.zones import load_zone
from tests.builders import at

YES, NO = All(()), Any(())
BOUGHT = {"bought": (at("09:00"), at("09:30"), at("10:00"), at("11:00"))}


RUN = Run(
    run_id="r",
    journey="cart",
    version=2,
    key="",
    cause="m",
    entered_at=at("09:30"),
    step="settle",
    step_at=at("09:30"),
    visits={},
    context={"product": "Kettle"},
    event={"name": "Product Added", "properties": {"name": "Kettle"}},
)


def a_scope(
    *,
    event: dict[str, object] | None = None,
    run: Run | None = None,
    runs: tuple[Run, ...] = (),
    zone: str = "UTC",
    now: int = at("10:00"),
    **known: object,
) -> Scope:
    """Return what is known at 10:00 of Monday 2 March 2026; ``known`` are fields of the contact's state."""
    state = ContactState(contact="u:c1", **known)  # type: ignore[arg-type]  # named as the fields
    return Scope(now=now, catalog=Catalog(zone=load_zone(zone)), known=state, runs=runs, event=event or {}, run=run)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        (YES, True),
        (NO, False),
        (Not(YES), False),
        (Not(NO), True),
        (All((YES, NO)), False),
        (All((YES, YES)), True),
        (Any((YES, NO)), True),
        (Any((NO, NO)), False),
        (Not(Any((NO, All((YES, NO))))), True),
    ],
)
def test_parts_combine(condition: Condition | None, expected: bool) -> None:
    assert expected is holds(condition, a_scope())


@pytest.mark.parametrize(
    ("minutes", "count", "expected"),
    [
        (30, 1, True),  # the one of this very moment
        (30, 2, False),  # 09:30 is exactly half an hour ago: no longer within it
        (31, 2, True),
        (61, 3, True),
        (600, 4, False),  # 11:00 is still to come
    ],
)
def test_performed_counts_what_lies_within_the_span_up_to_now(minutes: int, count: int, expected: bool) -> None:
    condition = Performed(event="bought", within=minutes * 60_000, count=count)
    assert expected is holds(condition, a_scope(history=BOUGHT))


def test_what_was_never_done_was_not_performed() -> None:
    assert not holds(Performed(event="sold", within=60_000), a_scope(history=BOUGHT))


@pytest.mark.parametrize(
    ("traits", "channels", "expected"),
    [
        ({"email": "a@example.jp"}, ("email",), True),
        ({"email": "a@example.jp"}, ("sms", "email"), True),
        ({"email": " "}, ("email",), False),
        ({"email": 5}, ("email",), False),
        ({}, ("sms", "email"), False),
    ],
)
def test_reachable_needs_one_address(traits: dict[str, object], channels: tuple[Channel, ...], expected: bool) -> None:
    assert expected is holds(Reachable(channels), a_scope(traits=traits))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("contact.name.first", "Aki"),
        ("contact.name", {"first": "Aki"}),
        ("contact.name.last", None),
        ("contact.name.first.more", None),
        ("contact.id", "c1"),
        ("event.properties.total", 5),
        ("event.properties.total + 1", 6),
        ("event.properties.absent + 1", None),
        ("event.properties.items[0]", "a"),
        ("event.properties.items[7]", None),
        ("context.product", "Kettle"),
        ("context.absent.further", None),
        ("trigger.properties.name", "Kettle"),
        ("journey.id", "cart"),
        ("journey.version", 2),
        ("message.channel", None),
    ],
)
def test_an_expression_reads_and_what_is_missing_is_null(expression: str, expected: object) -> None:
    scope = a_scope(
        traits={"name": {"first": "Aki"}, "id": "somebody else"},
        event={"properties": {"total": 5, "items": ["a"]}},
        run=RUN,
    )
    assert expected == value_of(Expression(expression), scope)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("event.properties.total > 3", True),
        ("event.properties.total > 5", False),
        ("event.properties.absent > 3", False),
        ("event.properties.absent <= 3", False),
        ("event.properties.absent == 3", False),
        ("event.properties.absent != 3", True),
        ("event.properties.absent == null", True),
        ("has(event.properties.total)", True),
        ("has(event.properties.absent)", False),
        ("!(event.properties.absent > 3)", True),
        ("event.properties.absent > 3 || event.properties.total == 5", True),
        ("event.properties.total == '5'", False),
        ("contact.tags.exists(tag, tag == 'vip')", True),
        ("'vip' in contact.tags", True),
        ("'vip' in contact.absent", False),
        ("contact.name", False),  # a text is not true
        ("context.product == 'Kettle'", False),  # nobody is inside yet
    ],
)
def test_an_expression_over_missing_data_is_false_and_never_an_error(expression: str, expected: bool) -> None:
    scope = a_scope(traits={"tags": ["vip"], "name": "Aki"}, event={"properties": {"total": 5}})
    assert expected is holds(Expression(expression), scope)


def test_now_is_the_time_of_the_cause() -> None:
    """Of 10:00 on 2 March 2026, whenever that is asked."""
    asked = Expression("now >= timestamp('2026-03-02T10:00:00Z') && now < timestamp('2026-03-02T10:00:01Z')")
    assert holds(asked, a_scope())
    assert not holds(asked, a_scope(now=at("10:01")))


@pytest.mark.parametrize(("count", "expected"), [(1, True), (2, True), (3, False)])
def test_performed_since_entry_counts_from_the_entry_on(count: int, expected: bool) -> None:
    """09:30, the very moment of entry, and 10:00: not 09:00, and not 11:00, which is to come."""
    assert expected is holds(Performed(event="bought", count=count), a_scope(history=BOUGHT, run=RUN))


def test_performed_since_entry_before_the_entry_counts_this_moment() -> None:
    assert holds(Performed(event="bought"), a_scope(history=BOUGHT))
    assert not holds(Performed(event="bought"), a_scope(history=BOUGHT, now=at("10:01")))


def test_performed_where_has_times_of_its_own() -> None:
    dear = Performed(event="bought", within=60_000, where=Expression("event.properties.total > 100"))
    assert history_key(dear) != "bought"
    assert not holds(dear, a_scope(history=BOUGHT))
    assert holds(dear, a_scope(history={history_key(dear): (at("10:00"),)}))


YES_AT_9, NO_AT_9 = Consent(True, at("09:00")), Consent(False, at("09:00"))
YES_AT_8, NO_AT_8 = Consent(True, at("08:00")), Consent(False, at("08:00"))


@pytest.mark.parametrize(
    ("known", "channel", "expected"),
    [
        ({}, None, False),
        ({"news": YES_AT_9}, None, True),
        ({"news": YES_AT_9}, "email", True),
        ({"offers": YES_AT_9}, None, False),
        ({"news": NO_AT_9}, None, False),
        ({"news": YES_AT_8, "news/email": NO_AT_9}, "email", False),
        ({"news": YES_AT_8, "news/email": NO_AT_9}, "sms", True),
        ({"news": YES_AT_8, "news/email": NO_AT_9}, None, True),
        ({"news": NO_AT_8, "news/email": YES_AT_9}, "email", True),
        ({"news": YES_AT_9, "news/email": NO_AT_8}, "email", True),
        ({"news": YES_AT_9, "news/email": NO_AT_9}, "email", False),
    ],
)
def test_consent_is_the_newest_statement(known: dict[str, Consent], channel: Channel | None, expected: bool) -> None:
    """Unknown is no; of two at one time the revocation counts."""
    assert expected is holds(Consented("news", channel), a_scope(consent=known))


@pytest.mark.parametrize(
    ("asked", "timezone", "expected"),
    [
        (TimeIs(), None, True),
        (TimeIs(start="10:00", end="11:00"), None, True),
        (TimeIs(start="09:00", end="10:00"), None, False),  # its end is not in it
        (TimeIs(start="19:00", end="20:00"), "Asia/Tokyo", True),
        (TimeIs(start="19:00", end="20:00"), None, False),
        (TimeIs(start="19:00", end="20:00"), "Mars/Base", False),  # the workspace's zone, then
        (TimeIs(start="10:00", end="11:00"), "Mars/Base", True),
        (TimeIs(start="10:00", end="11:00", timezone="workspace"), "Asia/Tokyo", True),
        (TimeIs(start="11:00", end="12:00", timezone="Europe/Berlin"), "Asia/Tokyo", True),
        (TimeIs(days=(0,)), None, True),
        (TimeIs(days=(1, 2)), None, False),
        (TimeIs(start="22:00", end="11:00", days=(6,)), None, True),  # Sunday's night goes on until Monday 11:00
        (TimeIs(start="22:00", end="11:00", days=(0,)), None, False),
    ],
)
def test_time_is_read_off_the_local_clock(asked: TimeIs, timezone: str | None, expected: bool) -> None:
    traits = {} if timezone is None else {"timezone": timezone}
    assert expected is holds(asked, a_scope(traits=traits))


def test_a_contact_without_a_zone_lives_in_the_workspaces() -> None:
    assert holds(TimeIs(start="19:00", end="20:00"), a_scope(zone="Asia/Tokyo"))


def bucketed(percent: float, salt: str = "s") -> set[int]:
    """Return which of 10,000 contacts are in the bucket."""
    inside = set()
    for number in range(10_000):
        scope = a_scope()
        scope.known = ContactState(contact=f"u:{number}")
        if holds(Bucket(percent, salt), scope):
            inside.add(number)
    return inside


def test_a_bucket_holds_about_its_share_and_always_the_same_contacts() -> None:
    """A larger one holds all of a smaller one; another salt holds others."""
    tenth, fifth = bucketed(10), bucketed(20)
    assert 900 < len(tenth) < 1_100
    assert tenth == bucketed(10)
    assert tenth < fifth
    assert 50 < len(tenth & bucketed(10, "t")) < 150
    assert (0, 10_000) == (len(bucketed(0)), len(bucketed(100)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (InJourney(id="cart"), True),
        (InJourney(id="welcome"), False),
        (InJourney(id="welcome", state="ever"), True),
        (InJourney(id="cart", state="ever"), True),
        (InJourney(id="winback", state="ever"), False),
    ],
)
def test_in_journey_is_now_or_ever(asked: InJourney, expected: bool) -> None:
    assert expected is holds(asked, a_scope(runs=(RUN,), been=("welcome",)))
