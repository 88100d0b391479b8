"""A tree into closures. What can be decided once, such as a literal's type, is decided here and not at each event."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, assert_never

from shared.expressions import values
from shared.expressions.tree import (
    Binary,
    Call,
    Choice,
    Has,
    Index,
    ListOf,
    Literal,
    Local,
    Logic,
    Node,
    Outside,
    Read,
    Scalar,
    Unary,
)
from shared.expressions.values import Compute, Doubts, Scope

Library = Callable[[Outside, "Builder"], Compute]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC = {
    "+": values.add,
    "-": values.subtract,
    "*": values.multiply,
    "/": values.divide,
    "%": values.remainder,
}
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


class Builder:
    """Builds the closures of one expression; they share its count of doubts."""

    def __init__(self, doubts: Doubts, library: Library) -> None:
        """``library`` builds what is outside the subset."""
        self.doubts = doubts
        self._library = library

    def build(self, node: Node) -> Compute:  # noqa: PLR0911, PLR0912  # one case for each kind of node
        """Return a function from a scope to the node's value. It never raises."""
        match node:
            case Literal(value=value):
                return lambda _scope: value
            case ListOf(items=items):
                parts = [self.build(item) for item in items]
                return lambda scope: [part(scope) for part in parts]
            case Read():
                return read(node)
            case Index(of=of, key=key):
                return self._index(of, key)
            case Has(of=of):
                found = self.build(of)
                return lambda scope: found(scope) is not None
            case Unary():
                return self._unary(node)
            case Logic(op=op, parts=terms):
                return _logic(op, [self.truth(term) for term in terms])
            case Binary():
                return self._binary(node)
            case Choice(test=test, yes=yes, no=no):
                return _choice(self.truth(test), self.build(yes), self.build(no))
            case Call():
                return self._call(node)
            case Outside():
                return self._library(node, self)
            case Local():
                msg = "a macro's variable occurs inside its macro alone"
                raise AssertionError(msg)
            case _:
                assert_never(node)

    def truth(self, node: Node) -> Compute:
        """Return a function to true or false: what is neither counts as false."""
        value = self.build(node)
        if _is_bool(node):
            return value
        doubts = self.doubts

        def truth(scope: Scope) -> bool:
            found = value(scope)
            if found is True:
                return True
            if found is not False and found is not None:
                doubts.note(found)
            return False

        return truth

    def _unary(self, node: Unary) -> Compute:
        if node.op == "!":
            truth = self.truth(node.of)
            return lambda scope: not truth(scope)
        value, doubts = self.build(node.of), self.doubts
        return lambda scope: values.negative(value(scope), doubts)

    def _index(self, of: Node, key: Node) -> Compute:
        target, wanted = self.build(of), self.build(key)
        return lambda scope: values.item(target(scope), wanted(scope))

    def _binary(self, node: Binary) -> Compute:
        op, doubts = node.op, self.doubts
        if op in ("==", "!="):
            return self._equality(node)
        if op in _ORDER:
            return self._order(node, _ORDER[op])
        left = self.build(node.left)
        if op == "in":
            if texts := _texts(node.right):
                return lambda scope: (value := left(scope)).__class__ is str and value in texts
            right = self.build(node.right)
            return lambda scope: values.within(left(scope), right(scope), doubts)
        right, operation = self.build(node.right), _ARITHMETIC[op]
        return lambda scope: values.arithmetic(operation, left(scope), right(scope), doubts)

    def _equality(self, node: Binary) -> Compute:
        """Equal or not; values of two kinds are never equal, and counted."""
        left, doubts, wanted = self.build(node.left), self.doubts, node.op == "=="
        if isinstance(node.right, Literal):
            return _equals(left, node.right.value, doubts, wanted=wanted)
        right = self.build(node.right)

        def equality(scope: Scope) -> bool:
            a, b = left(scope), right(scope)
            if values.equal(a, b):
                return wanted
            if values.kind(a) != values.kind(b):
                doubts.note(a, b)
            return not wanted

        return equality

    def _order(self, node: Binary, compare: Callable[[Any, Any], bool]) -> Compute:
        left, doubts = self.build(node.left), self.doubts
        if isinstance(node.right, Literal) and values.number(node.right.value):
            return _order_of_number(left, compare, node.right.value, doubts)
        right = self.build(node.right)

        def order(scope: Scope) -> bool:
            a, b = left(scope), right(scope)
            return compare(a, b) if values.comparable(a, b, doubts) else False

        return order

    def _call(self, node: Call) -> Compute:
        doubts, (first, *rest) = self.doubts, [self.build(arg) for arg in node.args]
        if not rest:
            return lambda scope: values.size(first(scope), doubts)
        [second], test = rest, _TEXT[node.name]

        def text(scope: Scope) -> bool:
            a, b = first(scope), second(scope)
            if a.__class__ is str and b.__class__ is str:
                return test(a, b)
            doubts.note(a, b)
            return False

        return text


def read(node: Read) -> Compute:
    """Return a function to the value of a path; what is missing on the way is null."""
    root, keys = node.root, node.keys
    if root == "now":
        return _now
    each = _read_each(root, keys)
    if not 1 <= len(keys) <= 2 or not all(isinstance(key, str) for key in keys):
        return each
    first, last = keys[0], keys[-1]

    # Nearly every path has this form, over plain dicts. `try` would be as fast until a key is missing: 1 us each time.
    def two(scope: Scope) -> Any:
        found = scope.get(root)
        return found.get(first) if found.__class__ is dict else each(scope)

    def three(scope: Scope) -> Any:
        found = scope.get(root)
        if found.__class__ is dict:
            found = found.get(first)
            if found.__class__ is dict:
                return found.get(last)
        return None if found is None else each(scope)

    return two if len(keys) == 1 else three


def _read_each(root: str, keys: tuple[str | int, ...]) -> Compute:
    def each(scope: Scope) -> Any:
        found = scope.get(root)
        for key in keys:
            if found is None:
                return None
            found = values.item(found, key)
        return found

    return each


def _now(scope: Scope) -> datetime | None:
    now = scope.get("now")
    try:
        if now.__class__ is int:
            return datetime.fromtimestamp(now / 1000, UTC)
        return now.astimezone(UTC) if isinstance(now, datetime) else None
    except (OverflowError, ValueError, OSError):
        return None


def _equals(left: Compute, value: Scalar, doubts: Doubts, *, wanted: bool) -> Compute:
    """Compare with a literal, whose kind is known."""
    if value is None:
        return lambda scope: (left(scope) is None) is wanted
    expected = values.kind(value)

    def equals(scope: Scope) -> bool:
        found = left(scope)
        if found.__class__ is value.__class__:
            return (found == value) is wanted
        if values.kind(found) == expected:
            return values.equal(found, value) is wanted
        doubts.note(found)
        return not wanted

    return equals


def _order_of_number(left: Compute, compare: Callable[[Any, Any], bool], value: Any, doubts: Doubts) -> Compute:
    def order(scope: Scope) -> bool:
        found = left(scope)
        if found.__class__ is int or found.__class__ is float:
            return compare(found, value)
        doubts.note(found)
        return False

    return order


def _logic(op: str, parts: list[Compute]) -> Compute:
    ends = op == "||"
    if len(parts) == 2:
        return _either(*parts) if ends else _both(*parts)

    def logic(scope: Scope) -> bool:
        for part in parts:
            decided: bool = part(scope)
            if decided is ends:
                return ends
        return not ends

    return logic


def _both(first: Compute, second: Compute) -> Compute:
    return lambda scope: first(scope) and second(scope)


def _either(first: Compute, second: Compute) -> Compute:
    return lambda scope: first(scope) or second(scope)


def _choice(test: Compute, yes: Compute, no: Compute) -> Compute:
    return lambda scope: yes(scope) if test(scope) else no(scope)


def _texts(node: Node) -> frozenset[str] | None:
    if isinstance(node, ListOf):
        found = [item.value for item in node.items if isinstance(item, Literal) and isinstance(item.value, str)]
        if len(found) == len(node.items):
            return frozenset(found)
    return None


def _is_bool(node: Node) -> bool:
    if isinstance(node, Call):
        return node.name in _TEXT
    if isinstance(node, Unary):
        return node.op == "!"
    if isinstance(node, Binary):
        return node.op not in _ARITHMETIC
    return isinstance(node, Has | Logic)
