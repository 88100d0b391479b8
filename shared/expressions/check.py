"""What is wrong with an expression whatever the data: unknown names, and types that can never fit.

What data holds is not known here, so a path may be of any type, and only what literals and functions say is used.
"""

from __future__ import annotations

from typing import assert_never

from shared.expressions.errors import ExpressionFault, suggestion
from shared.expressions.functions import GLOBAL_RESULTS, METHOD_RESULTS, METHODS, SIZE
from shared.expressions.tree import (
    ROOTS,
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
    Unary,
)

ANY = "any"
_NUMBERS = ("int", "double")
_ORDERED = ("int", "double", "string", "bool", "timestamp", "duration")
_SIZED = (ANY, "string", "list", "map")
_TIMES = ("timestamp", "duration")
_SCALARS = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}


def check(node: Node, *, condition: bool = False) -> list[ExpressionFault]:
    """Return the faults, in order. A ``condition`` must be able to come out true."""
    checker = _Checker()
    kind = checker.kind(node)
    if condition and kind not in (ANY, "bool"):
        checker.fault(node.at, f"a condition is true or false, this is {_named(kind)}; compare it with something")
    return sorted(checker.faults)


class _Checker:
    def __init__(self) -> None:
        self.faults: list[ExpressionFault] = []

    def fault(self, at: int, message: str) -> None:
        """Note one."""
        self.faults.append(ExpressionFault(at, message))

    def kind(self, node: Node) -> str:  # noqa: C901, PLR0911, PLR0912  # one case for each kind of node
        """Return the type of a node, as far as it is known, and note its faults."""
        match node:
            case Literal(value=value):
                return _SCALARS[type(value)]
            case ListOf(items=items):
                for item in items:
                    self.kind(item)
                return "list"
            case Read():
                return self._read(node)
            case Local():
                return ANY
            case Index():
                return self._index(node)
            case Has(of=of):
                self.kind(of)
                return "bool"
            case Unary(op=op, of=of):
                if op == "!":
                    return self._expect_bool(of, "`!`")
                return self._operand(of, "-", _NUMBERS)
            case Logic(op=op, parts=parts):
                for part in parts:
                    self._expect_bool(part, f"`{op}`")
                return "bool"
            case Binary():
                return self._binary(node)
            case Choice(test=test, yes=yes, no=no):
                self._expect_bool(test, "`?`")
                kinds = {self.kind(yes), self.kind(no)}
                return kinds.pop() if len(kinds) == 1 else ANY
            case Call():
                return self._call(node)
            case Outside():
                return self._outside(node)
            case _:
                assert_never(node)

    def _read(self, node: Read) -> str:
        if node.root not in ROOTS:
            hint = suggestion(node.root, ROOTS) or f"; write the whole path, such as `contact.{node.root}`"
            self.fault(node.at, f"unknown root `{node.root}`; a path starts with one of {', '.join(ROOTS)}{hint}")
            return ANY
        if node.root == "now":
            if node.keys:
                self.fault(node.at, "`now` is a moment and has no properties; compare it with timestamp(…)")
            return "timestamp"
        return ANY if node.keys else "map"

    def _index(self, node: Index) -> str:
        of, key = self.kind(node.of), self.kind(node.key)
        if of not in (ANY, "list", "map"):
            self.fault(node.at, f"{_named(of)} has no parts; put an index after a list or a map")
        if key not in (ANY, "int", "string"):
            self.fault(node.key.at, f"an index is a whole number or a text, this is {_named(key)}; write one of them")
        elif isinstance(node.key, Literal) and isinstance(node.key.value, int) and node.key.value < 0:
            self.fault(node.key.at, "an index counts from 0; for the last of a list write x[size(x) - 1]")
        return ANY

    def _expect_bool(self, node: Node, what: str) -> str:
        found = self.kind(node)
        if found not in (ANY, "bool"):
            self.fault(node.at, f"{what} joins what is true or false, this is {_named(found)}; compare it first")
        return "bool"

    def _operand(self, node: Node, op: str, wanted: tuple[str, ...]) -> str:
        found = self.kind(node)
        if found not in (ANY, *wanted):
            self.fault(node.at, f"`{op}` takes {' or '.join(wanted)}, this is {_named(found)}; convert or remove it")
            return ANY
        return found

    def _binary(self, node: Binary) -> str:
        left, right = self.kind(node.left), self.kind(node.right)
        op = node.op
        if op in ("==", "!="):
            if not _alike(left, right) and "null" not in (left, right):
                self.fault(
                    node.op_at, f"{_named(left)} and {_named(right)} are never equal; write both as the same type"
                )
        elif op == "in":
            if right == "string":
                self.fault(node.op_at, "`in` looks into a list or a map; in a text write `text.contains(part)`")
            elif right not in (ANY, "list", "map"):
                self.fault(node.op_at, f"`in` looks into a list or a map, not into {_named(right)}; write `[…]`")
        elif op in ("<", "<=", ">", ">="):
            self._order(node, left, right)
        else:
            return self._arithmetic(node, left, right)
        return "bool"

    def _order(self, node: Binary, left: str, right: str) -> None:
        if "null" in (left, right):
            self.fault(node.op_at, f"null has no order and `{node.op}` is always false; write `== null` or `!= null`")
            return
        for kind in (left, right):
            if kind not in (ANY, *_ORDERED):
                self.fault(node.op_at, f"{_named(kind)} has no order; compare its size or one of its parts")
                return
        if not _alike(left, right):
            between = isinstance(node.left, Binary) and left == "bool"
            hint = "write `a < b && b < c`" if between else "write both as the same type"
            self.fault(node.op_at, f"{_named(left)} and {_named(right)} have no order between them; {hint}")

    def _arithmetic(self, node: Binary, left: str, right: str) -> str:
        op = node.op
        if op == "+" and left == right and left in ("string", "list"):
            return left
        if op in "+-" and (left in _TIMES or right in _TIMES):
            return self._of_times(node, left, right)
        if op == "+" and {left, right} in ({ANY, "string"}, {ANY, "list"}):
            return ANY
        wanted = ("int",) if op == "%" else _NUMBERS
        if any(kind not in (ANY, *wanted) for kind in (left, right)):
            why = "; convert with string(…) or int(…)" if op == "+" else f"; it takes {' or '.join(wanted)}"
            self.fault(node.op_at, f"`{op}` does not fit {_named(left)} and {_named(right)}{why}")
            return ANY
        if op in "/%" and isinstance(node.right, Literal) and node.right.value == 0:
            self.fault(node.op_at, "division by zero is always null; write another divisor")
        if ANY in (left, right):
            return ANY
        return "double" if "double" in (left, right) else "int"

    def _of_times(self, node: Binary, left: str, right: str) -> str:
        match node.op, left, right:
            case ("+", "timestamp", "duration") | ("+", "duration", "timestamp") | ("-", "timestamp", "duration"):
                return "timestamp"
            case (_, "duration", "duration") | ("-", "timestamp", "timestamp"):
                return "duration"
        if ANY not in (left, right):
            self.fault(
                node.op_at,
                f"`{node.op}` does not fit {_named(left)} and {_named(right)}; a span is written duration('72h')",
            )
        return ANY

    def _call(self, node: Call) -> str:
        kinds = [self.kind(arg) for arg in node.args]
        if len(kinds) != 1 if node.name == SIZE else len(kinds) != 2:
            form = "size(x) or x.size()" if node.name == SIZE else f"x.{node.name}('text')"
            self.fault(node.at, f"`{node.name}` is written {form}; give it just that")
        elif node.name == SIZE:
            if kinds[0] not in _SIZED:
                self.fault(node.at, f"{_named(kinds[0])} has no size; ask a text, a list or a map for it")
        else:
            for arg, kind in zip(node.args, kinds, strict=True):
                if kind not in (ANY, "string"):
                    self.fault(arg.at, f"`{node.name}` compares texts, this is {_named(kind)}; put it into quotes")
        return METHODS.get(node.name, "int")

    def _outside(self, node: Outside) -> str:
        for part in node.parts:
            self.kind(part)
        if node.name == "{}":
            return "map"
        if not node.name:
            return "int" if node.text[-1] in "uU" else ANY
        # A call's text starts with its name, a method's with the receiver.
        known = GLOBAL_RESULTS if node.name_at == node.at else METHOD_RESULTS
        if node.name in known:
            return known[node.name]
        hint = suggestion(node.name, {*known, "has"}) or f"; known: {', '.join(sorted(known))}"
        self.fault(node.name_at, f"unknown function `{node.name}`{hint}")
        return ANY


def _alike(left: str, right: str) -> bool:
    return ANY in (left, right) or left == right or (left in _NUMBERS and right in _NUMBERS)


def _named(kind: str) -> str:
    return {"any": "a value", "int": "an int", "null": "null"}.get(kind, f"a {kind}")
