"""Pieces outside the subset: Google's CEL under our null rules."""

from __future__ import annotations

from typing import Any

import pytest

from shared.expressions import compile_condition, compile_expression
from tests.unit.shared.expressions.cel import needs_library

pytestmark = needs_library

SCOPE: dict[str, Any] = {
    "contact": {"email": "Ab@Example.jp", "limit": 3, "signup": "2026-03-01T00:00:00Z", "huge": 2**70},
    "event": {"properties": {"items": [{"sku": "k1", "price": 2}, {"sku": "k2", "price": 5}, {"sku": "k3"}]}},
    "now": 1_772_413_200_123,  # 2026-03-02T01:00:00.123Z
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event.properties.items.exists(i, i.price > contact.limit)", True),
        ("event.properties.items.filter(i, has(i.price)).size() == 2", True),
        ("event.properties.items.filter(i, has(i.price))[1].sku", "k2"),
        ("event.properties.items.all(i, i.sku.startsWith('k'))", True),
        ("event.properties.items.map(i, i.sku)", ["k1", "k2", "k3"]),
        ("[1, 2].exists(x, [2].exists(y, x == y)) && contact.phone == null", True),
        ("contact.email.matches('^[A-Za-z]+@')", True),
        ("contact.email.lowerAscii().endsWith('@example.jp')", True),
        ("now > timestamp('2026-03-02T00:00:00Z')", True),
        ("now - timestamp(contact.signup) > duration('24h')", True),
        ("now - duration('24h') < timestamp(contact.signup) + duration('2h')", True),
        ("now.getHours('Asia/Tokyo')", 10),
        ("{'a': contact.limit}['a'] == 3", True),
        ("2u == 2", True),
        ("int('5') + 1", 6),
    ],
)
def test_more_of_cel(text: str, expected: object) -> None:
    assert expected == compile_expression(text).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.phone.matches('x')", None),
        ("timestamp(contact.phone) < now", False),
        ("contact.items.exists(i, true)", None),
        ("!contact.items.exists(i, true)", True),
        ("contact.items.exists(i, true) || contact.limit == 3", True),
        ("event.properties.items.exists(i, has(contact.phone) || i.sku == 'k1' && contact.phone == null)", True),
        ("event.properties.items.exists(i, has(contact . \n email))", True),
    ],
)
def test_what_is_missing_is_null_there_too(text: str, expected: object) -> None:
    expression = compile_expression(text)
    before = expression.doubts

    assert expected == expression.evaluate(SCOPE)
    assert before == expression.doubts


@pytest.mark.parametrize(
    "text",
    [
        "timestamp(contact.email)",
        "event.properties.items.map(i, i.price)",  # inside a macro CEL's own rule holds: ask has(i.price)
        "contact.limit.matches('x')",
        "string(contact.huge)",
    ],
)
def test_an_error_of_the_library_is_null_and_counted(text: str) -> None:
    expression = compile_expression(text)
    before = expression.doubts

    assert None is expression.evaluate(SCOPE)
    assert before + 1 == expression.doubts


def test_nothing_runs_away() -> None:
    """A thousand million turns are stopped after ten thousand."""
    bomb = compile_condition("contact.n.all(a, contact.n.all(b, contact.n.all(c, a + b + c >= 0)))")

    assert not bomb.holds({"contact": {"n": list(range(1_000))}})
    assert 1 == bomb.doubts


def test_paths_inside_a_piece_are_known() -> None:
    expression = compile_expression("event.properties.items.exists(i, i.price > contact.limit && has(contact.email))")

    assert {"event.properties.items", "contact.limit", "contact.email"} == expression.paths


def test_a_variable_may_hide_a_root() -> None:
    assert compile_condition("[{'x': 1}].exists(event, event.x == 1)").holds(SCOPE)
