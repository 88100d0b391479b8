"""Random expressions: ours equals Google's CEL, nothing else is ever raised."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.expressions import Expression, ExpressionError, compile_expression
from tests.unit.shared.expressions.cel import INSTALLED, evaluate_by_library, needs_library
from tests.unit.shared.expressions.random_expressions import CONTACTS, JSON, expressions

PIECES = """contact event now i x . , ( ) [ ] { } ? : ! - + * / % == != < >= && || in has size exists map matches
timestamp contains true null 1 0 1.5 2u 'a' r'[' b'x' \""" ' \\ ` // あ contact.a contact.l.exists( exists(i, i.a)
contact['a'] duration('1h')"""
SOUP = st.lists(st.sampled_from([*PIECES.split(), "\n"]), max_size=25)


def compiled(text: str) -> Expression:
    """Compile what is not refused for a reason that CEL finds at run time alone, or not at all."""
    try:
        return compile_expression(text)
    except ExpressionError as error:
        assume(not error.message.startswith(("division by zero", "an expression has at most")))
        raise


@needs_library
@settings(max_examples=500, deadline=None)
@given(text=expressions(), contact=CONTACTS)
def test_ours_equals_the_library_where_neither_null_nor_types_are_in_doubt(text: str, contact: dict[str, Any]) -> None:
    """The subset is CEL: an expression may move to the library, or from it, without a change of meaning."""
    try:
        expected = evaluate_by_library(text, {"contact": contact})
    except LookupError:
        assume(False)  # division by zero or an overflow, which is null for us
    found: Any = compiled(text).evaluate({"contact": contact})

    assert type(expected) is type(found)
    assert expected == found or (math.isnan(expected) and math.isnan(found))


@settings(max_examples=300, deadline=None)
@given(text=expressions(), contact=JSON, event=JSON)
def test_no_data_makes_an_expression_raise(text: str, contact: object, event: object) -> None:
    expression = compiled(text)

    expression.evaluate({"contact": contact, "event": event})
    assert expression.holds({"contact": contact}) in (True, False)


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=80) | SOUP.map(" ".join) | SOUP.map("".join), contact=JSON)
@example(text="contact.a" * 100 + "[" * 100, contact=None)
@example(text="a?" * 900, contact=None)
@example(text="-" * 1999 + "1", contact=None)
@example(text="contact" + ".a" * 900, contact=None)
@example(text="contact" + "[now]" * 300, contact=None)
@example(text="'" * 2000, contact=None)
@example(text='"""' + '\\"' * 900, contact=None)
def test_no_text_raises_anything_but_a_fault(text: str, contact: object) -> None:
    """And what compiles by chance evaluates."""
    try:
        compile_expression(text).evaluate({"contact": contact, "now": 0})
    except ExpressionError as error:
        fault = error.fault
    except ConfigurationError:
        assert not INSTALLED
        return
    else:
        return
    assert 0 <= fault.offset <= len(text)
    assert "; " in fault.message
