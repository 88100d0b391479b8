"""Faults: each has a position and says what to do."""

from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from shared.expressions import (
    ExpressionError,
    ExpressionFault,
    check_expression,
    compile_condition,
    compile_expression,
    library,
)
from tests.unit.shared.expressions.cel import needs_library

ROOTS = "a path starts with one of contact, event, context, trigger, journey, message, now"


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "the expression ends here; write a value, such as contact.email, 5 or 'text'"),
        ("1 +", 3, "the expression ends here; write a value, such as contact.email, 5 or 'text'"),
        ("contact.", 8, "the expression ends here; write a name after the dot"),
        ("contact.a b", 10, "`b` cannot stand here; join two conditions with `&&` or `||`"),
        ("contact.a and contact.b", 10, "`and` cannot stand here; write `&&`"),
        ("contact.a = 1", 10, "`=` has no meaning here; write `==`"),
        ("contact.a ＝ 1", 10, "`＝` has no meaning here; write `==`"),
        ("contact.a == “x”", 13, '`“` has no meaning here; write `"`'),
        ("contact.a @ 1", 10, "`@` has no meaning here; remove it, or put text into quotes"),
        ("contact.in", 8, '`in` cannot stand here; a key of this name is written `["in"]`'),
        ("contact.a?.b", 10, "`.` cannot stand here; leave the `?` out: what is missing is null"),
        ("'abc", 0, "this text has no end; close it with the quote that opens it, on the same line"),
        (r"'a\q'", 2, r"`\q` is no escape; for a backslash itself write two"),
        (r"'\ud800'", 1, r"`\ud800` is no character; write its code point"),
        ("9223372036854775808", 0, "a whole number has at most 63 bits; write it with a point: 1e19"),
        ("1e999", 0, "`1e999` is too large for a number; the largest is about 1.7e308"),
        ("12ab", 2, "a number ends before `a`; put a space or an operator between them"),
        ("[1, 2", 5, "the expression ends here; write `]` to close the list"),
        ("contact.a ? 1", 13, "the expression ends here; write `:` to say what holds otherwise, as in `test ? 1 : 2`"),
        ("has(1)", 0, "`has` asks about one path, as in `has(contact.email)`"),
        ("contact.l.exists(_0, true)", 17, "`_0` cannot stand here; name the variable with a letter first"),
        ("(" * 40, 32, "nested more than 32 levels deep; split it with `all:` or `any:`"),
        ("!" * 70 + "true", 64, "more than 64 operators build on each other here; split it with `all:` or `any:`"),
        ("x" * 2001, 2000, "an expression has at most 2000 characters, this has 2001; split it with `all:` or `any:`"),
        ("contcat.x", 0, f"unknown root `contcat`; {ROOTS}; did you mean `contact`?"),
        ("1 > email", 4, f"unknown root `email`; {ROOTS}; write the whole path, such as `contact.email`"),
        ("contact.a.startswith('x')", 10, "unknown function `startswith`; did you mean `startsWith`?"),
        ("contact.a.startsWith(1)", 21, "`startsWith` compares texts, this is an int; put it into quotes"),
        ("size(1, 2)", 0, "`size` is written size(x) or x.size(); give it just that"),
        ("size(1)", 0, "an int has no size; ask a text, a list or a map for it"),
        ("1 == 'x'", 2, "an int and a string are never equal; write both as the same type"),
        ("1 + 'x'", 2, "`+` does not fit an int and a string; convert with string(…) or int(…)"),
        ("1.5 % 2", 4, "`%` does not fit a double and an int; it takes int"),
        ("1 < contact.a < 3", 14, "a bool and an int have no order between them; write `a < b && b < c`"),
        ("contact.a > null", 10, "null has no order and `>` is always false; write `== null` or `!= null`"),
        ("[1] < [2]", 4, "a list has no order; compare its size or one of its parts"),
        ("now.x", 0, "`now` is a moment and has no properties; compare it with timestamp(…)"),
        ("now > '2026-01-01'", 4, "a timestamp and a string have no order between them; write both as the same type"),
        ("now - 5", 4, "`-` does not fit a timestamp and an int; a span is written duration('72h')"),
        ("'a' in 'abc'", 4, "`in` looks into a list or a map; in a text write `text.contains(part)`"),
        ("!5", 1, "`!` joins what is true or false, this is an int; compare it first"),
        ("true && 5", 8, "`&&` joins what is true or false, this is an int; compare it first"),
        ("contact.a / 0", 10, "division by zero is always null; write another divisor"),
        ("contact.l[-1]", 11, "an index counts from 0; for the last of a list write x[size(x) - 1]"),
        ("contact.l[1.5]", 10, "an index is a whole number or a text, this is a double; write one of them"),
    ],
)
def test_a_fault_has_its_position_and_says_what_to_do(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_expression(text)

    assert (offset, message) == (raised.value.offset, raised.value.message)
    assert f"at character {offset + 1}: {message}" == str(raised.value)


@pytest.mark.parametrize(
    ("text", "kind"), [("contact.a + 1 * 2", None), ("1 + 2", "an int"), ("'a'", "a string"), ("now", "a timestamp")]
)
def test_a_condition_can_come_out_true(text: str, kind: str | None) -> None:
    """What is known to be no bool would never hold; a path may be one."""
    assert (
        (ExpressionFault(0, f"a condition is true or false, this is {kind}; compare it with something"),)
        if kind
        else ()
    ) == check_expression(text, condition=True)


def test_a_condition_and_an_expression_are_told_apart() -> None:
    assert 3 == compile_expression("1 + 2").evaluate({})
    with pytest.raises(ExpressionError, match="a condition is true or false"):
        compile_condition("1 + 2")


def test_the_linter_gets_every_fault_in_order() -> None:
    assert [0, 18] == [fault.offset for fault in check_expression("foo.x == 1 && 'a' == 1")]


def test_long_chains_of_logic_are_no_depth() -> None:
    """``&&`` of two hundred clauses is one node."""
    assert compile_condition(" && ".join(["1 < 2"] * 200)).holds({})


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(library, "import_module", missing)

    assert compile_expression("contact.a == 987").evaluate({}) is False
    with pytest.raises(ConfigurationError, match="needs the package cel-expr-python"):
        compile_expression("contact.a.matches('987')")


@needs_library
@pytest.mark.parametrize(
    ("text", "offset", "part"),
    [
        ("contact.a == 1 && contact.l.exists(x, x == 1 + 2.0)", 45, "convert with int(), double() or string()"),
        ("contact.l.exists(x, x.matches('['))", 30, "correct the pattern"),
        ("now > timestamp('yesterday')", 6, "is null whatever the data; correct the text in it"),
        ("contact.l\n.exists(x,\n x == 1 + 2.0)", 29, "convert with"),
        ("contact.l.exists(x, y > 1)", 20, "unknown root `y`"),
        ("contact.l.exists(x > 1)", 17, "unknown root `x`"),
    ],
)
def test_a_fault_of_the_library_has_our_position(text: str, offset: int, part: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_expression(text)

    assert offset == raised.value.offset
    assert part in raised.value.message
