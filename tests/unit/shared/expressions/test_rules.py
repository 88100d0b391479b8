"""What an expression means: each rule in literals."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from shared.expressions import compile_condition, compile_expression

SCOPE: dict[str, Any] = {
    "contact": {
        "email": "a@example.jp",
        "plan": "pro",
        "age": 30,
        "score": 2.5,
        "debt": -7,
        "vip": True,
        "none": None,
        "tags": ["new", "jp"],
        "scores": [1, 2.0, 3],
        "first name": "Hana",
        "address": {"city": "Tokyo"},
    },
    "event": {"properties": {"total": 5000, "items": [{"sku": "k1", "price": 3}], "key": "plan"}},
    "now": 1_772_413_200_123,
}


def value(text: str) -> Any:
    return compile_expression(text).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("-9223372036854775808", -(2**63)),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5e1", 5.0),
        ("true", True),
        ("null", None),
        ("[1, 'a', [true],]", [1, "a", [True]]),
        (r"'a\n\u3042\U0001F600\x41\101\''", "a\nあ😀AA'"),
        (r"r'\d'", r"\d"),
        ('"""a "quoted" text"""', 'a "quoted" text'),
        ("1 // a remark", 1),
    ],
)
def test_literals(text: str, expected: object) -> None:
    assert expected == value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.email", "a@example.jp"),
        ('contact["first name"]', "Hana"),
        ("contact.`first name`", "Hana"),
        ("contact.address.city", "Tokyo"),
        ("event.properties.items[0].price", 3),
        ("event.properties.items[7].price", None),
        ("contact[event.properties.key]", "pro"),
        ("contact.tags[size(contact.tags) - 1]", "jp"),
        ("contact.phone", None),
        ("contact.phone.country.code", None),
        ("contact.email.domain", None),
        ("contact.email[0]", None),
        ("contact.tags.first", None),
        ("contact.none", None),
        ("message.step", None),
        ("trigger", None),
    ],
)
def test_a_path_reads_a_value_and_what_is_missing_is_null(text: str, expected: object) -> None:
    """Neither a missing trait nor one of an unexpected shape is an error."""
    assert expected == value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.phone == null", True),
        ("contact.none == null", True),
        ("null != contact.email", True),
        ("contact.phone == contact.mobile", True),
        ("contact.phone == ''", False),
        ("contact.phone < 5", False),
        ("contact.phone >= 5", False),
        ("5 > contact.phone", False),
        ("!(contact.phone > 5)", True),
        ("contact.phone in ['a']", False),
        ("null in [null]", True),
        ("'a' in contact.phone", False),
        ("contact.phone.contains('a')", False),
        ("contact.email.endsWith(contact.phone)", False),
        ("contact.phone + 1", None),
        ("1 - contact.phone", None),
        ("-contact.phone", None),
        ("contact.phone + 'x'", None),
        ("size(contact.phone)", None),
        ("has(contact.phone)", False),
        ("has(contact.none)", False),
        ("has(contact.email)", True),
        ("has(contact.address.zip)", False),
        ("has(contact.phone.country)", False),
        ("contact.phone ? 1 : 2", 2),
        ("!contact.phone", True),
    ],
)
def test_null_gives_null_or_false_and_is_never_a_doubt(text: str, expected: object) -> None:
    expression = compile_expression(text)
    before = expression.doubts

    assert expected == expression.evaluate(SCOPE)
    assert before == expression.doubts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.plan < 5", False),
        ("contact.plan >= 5", False),
        ("contact.vip > 0", False),
        ("contact.tags < contact.tags", False),
        ("contact.age == '30'", False),
        ("contact.age != '30'", True),
        ("contact.vip == contact.age", False),
        ("contact.plan + contact.age", None),
        ("contact.plan * 2", None),
        ("-contact.plan", None),
        ("contact.score % 2", None),
        ("contact.age.contains('3')", False),
        ("size(contact.age)", None),
        ("'a' in contact.plan", False),
        ("contact.plan && true", False),
        ("!contact.plan", True),
        ("contact.plan ? 1 : 2", 2),
        ("now == contact.plan", False),
    ],
)
def test_types_that_clash_give_null_or_false_and_are_counted(text: str, expected: object) -> None:
    """A doubt about data is for a person to look at; the event goes on."""
    expression = compile_expression(text)
    before = expression.doubts

    assert expected == expression.evaluate(SCOPE)
    assert before + 1 == expression.doubts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact.age == 30.0", True),
        ("contact.scores == [1.0, 2, 3]", True),
        ("contact.vip == true", True),
        ("contact.vip == 1", False),
        ("[contact.vip] == [1]", False),
        ("1 in [true]", False),
        ("2 in contact.scores", True),
        ("contact.plan in ['free', 'pro']", True),
        ("'plan' in contact", True),
        ("contact.age < 30.5", True),
        ("'b' > 'a'", True),
        ("contact.email.startsWith('a@') && contact.email.endsWith('.jp')", True),
        ("contact.email.contains('@') ? 'mail' : 'none'", "mail"),
        ("contact.tags.size() + size('あ😀') + size(contact.address)", 5),
        ("1 == 1 == true", True),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("!false == true", True),
    ],
)
def test_comparisons_and_logic(text: str, expected: object) -> None:
    assert expected is value(text) or expected == value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * 4 - 1", 13),
        ("10 - 4 - 3", 3),
        ("-7 / 2", -3),
        ("contact.debt % 3", -1),
        ("7 % -3", 1),
        ("7.0 / 2", 3.5),
        ("event.properties.total * 1.1 > 5499.9", True),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("contact.age / (contact.age - 30)", None),
        ("contact.score / (contact.age - 30)", None),
        ("contact.age % (contact.age - 30)", None),
        ("9223372036854775807 + contact.age", None),
        ("- -1", 1),
    ],
)
def test_arithmetic(text: str, expected: object) -> None:
    """Whole numbers divide as CEL does, towards zero; by zero and past 64 bits is null."""
    assert expected == value(text)


def test_logic_stops_at_the_part_that_decides() -> None:
    """The second part is not looked at, and so not counted either."""
    expression = compile_expression("contact.vip || contact.plan > 5")

    assert expression.holds(SCOPE)
    assert 0 == expression.doubts


def test_only_true_holds() -> None:
    assert compile_condition("contact.vip").holds(SCOPE)
    assert not compile_condition("contact.plan").holds(SCOPE)
    assert not compile_condition("contact.phone").holds(SCOPE)
    assert not compile_condition("contact.age").holds({})


def test_a_root_may_be_any_mapping() -> None:
    """A host may compute a root only when it is read."""
    scope = MappingProxyType({"contact": MappingProxyType({"address": MappingProxyType({"city": "Tokyo"})})})

    assert compile_condition("contact.address.city == 'Tokyo' && has(contact.address)").holds(scope)


def test_paths_are_what_the_expression_reads() -> None:
    """The linter asks the catalogue for them; what stands behind an index into a list has no name there."""
    text = "has(contact.email) && event.properties.items[0].price > 3 && contact['first name'] in context.names"

    assert {
        "contact.email",
        "event.properties.items",
        "contact.`first name`",
        "context.names",
    } == compile_expression(text).paths


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("contact.a == 1") is compile_expression("contact.a == 1")
    assert "contact.a == 1" == compile_expression("contact.a == 1").text


def test_deep_data_is_compared_without_recursion() -> None:
    left: list[Any] = []
    right: list[Any] = []
    for _ in range(5_000):
        left, right = [left], [right]

    assert compile_condition("contact.a == event.a").holds({"contact": {"a": left}, "event": {"a": right}})
