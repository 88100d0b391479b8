"""Conditions and paths, evaluated against one contact at one moment."""

from __future__ import annotations

import pytest

from services.evaluator.core.conditions import Scope, holds, read_path
from shared.journeys.model import All, Any, Channel, Condition, Not, Path, Performed, Reachable
from tests.builders import at

YES, NO = All(()), Any(())
BOUGHT = {"bought": (at("09:00"), at("09:30"), at("10:00"), at("11:00"))}


def a_scope(**parts: object) -> Scope:
    nothing: dict[str, object] = {"traits": {}, "history": {}, "event": {}, "context": {}}
    return Scope(**{"now": at("10:00"), **nothing, **parts})  # type: ignore[arg-type]  # parts are named as the fields


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
    ("path", "expected"),
    [
        (Path("contact", ("name", "first")), "Aki"),
        (Path("contact", ("name",)), {"first": "Aki"}),
        (Path("contact", ("name", "last")), None),
        (Path("contact", ("name", "first", "more")), None),
        (Path("event", ("properties", "total")), 5),
        (Path("event", ("properties", "items", "0")), None),
        (Path("context", ("product",)), "Kettle"),
        (Path("context", ("absent", "further")), None),
    ],
)
def test_a_path_reads_one_value_and_what_is_missing_is_null(path: Path, expected: object) -> None:
    scope = a_scope(
        traits={"name": {"first": "Aki"}},
        event={"properties": {"total": 5, "items": ["a"]}},
        context={"product": "Kettle"},
    )
    assert expected == read_path(path, scope)
