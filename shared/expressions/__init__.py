"""Expressions of the journey language: CEL, with a missing property as null and nothing that raises at an event.

The common subset runs as closures of our own; the smallest pieces that need more of CEL run on Google's library. Rules:

- A missing property is null. ``== null`` and ``!= null`` work, ``has(x)`` is ``x != null``.
- ``<``, ``<=``, ``>``, ``>=``, ``in``, ``contains``, ``startsWith`` and ``endsWith`` with null, or with types that have
  no order between them, are false. Values of two types are never equal; ``!=`` is always the opposite of ``==``.
- Arithmetic with null, division by zero and whole numbers past 64 bits give null. An int and a double mix freely.
- Where true or false is wanted, everything else is false. ``&&`` and ``||`` stop at the first part that decides.
- Types that clash are counted in ``Expression.doubts``; null never is.
"""

from __future__ import annotations

from functools import lru_cache

from shared.expressions.check import check
from shared.expressions.errors import ExpressionError, ExpressionFault
from shared.expressions.expression import Expression
from shared.expressions.parse import parse
from shared.expressions.values import Scope, Value

__all__ = [
    "Expression",
    "ExpressionError",
    "ExpressionFault",
    "Scope",
    "Value",
    "check_expression",
    "compile_condition",
    "compile_expression",
]

_CACHED = 4_096
"""Ten expressions in each of 400 journeys: re-reading the folder compiles only what changed."""


@lru_cache(_CACHED)
def compile_expression(text: str) -> Expression:
    """Return the expression. Raises ExpressionError, or ConfigurationError when it needs a package that is not here."""
    return _compiled(text, condition=False)


@lru_cache(_CACHED)
def compile_condition(text: str) -> Expression:
    """Return an expression that can come out true or false. Raises as ``compile_expression`` does."""
    return _compiled(text, condition=True)


def check_expression(text: str, *, condition: bool = False) -> tuple[ExpressionFault, ...]:
    """Return every fault of ``text``, for a linter. Raises ConfigurationError as ``compile_expression`` does."""
    try:
        tree = parse(text)
        if faults := check(tree, condition=condition):
            return tuple(faults)
        Expression(text, tree)
    except ExpressionError as error:
        return (error.fault,)
    return ()


def _compiled(text: str, *, condition: bool) -> Expression:
    tree = parse(text)
    for fault in check(tree, condition=condition):
        raise ExpressionError(fault.offset, fault.message)
    return Expression(text, tree)
