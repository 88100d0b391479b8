"""A compiled expression: evaluate it, ask what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.expressions.evaluate import Builder
from shared.expressions.library import build_outside
from shared.expressions.tree import ROOTS, Node, Read, children
from shared.expressions.values import Doubts, Scope, Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Expression:
    """An expression in closures, for one thread, as the library may be in it. Only its count of doubts changes."""

    __slots__ = ("_compute", "_doubts", "paths", "text")

    def __init__(self, text: str, tree: Node) -> None:
        """Compile a tree that the check found good. Raises ExpressionError where the library alone finds a fault."""
        self.text = text
        self.paths = frozenset(_paths(tree))
        self._doubts = Doubts()
        self._compute = Builder(self._doubts, build_outside).build(tree)

    def evaluate(self, scope: Scope) -> Value:
        """Return the value over ``scope``: the roots by name, ``now`` in milliseconds. Never raises."""
        value: Value = self._compute(scope)
        return value

    def holds(self, scope: Scope) -> bool:
        """Return whether the value is true; null and what is no bool is not."""
        return self._compute(scope) is True

    @property
    def doubts(self) -> int:
        """How often values of clashing types met since the expression was compiled."""
        return self._doubts.count

    def __repr__(self) -> str:
        """Return the text, as a reader of a failed test wants it."""
        return f"Expression({self.text!r})"


def _paths(tree: Node) -> Iterator[str]:
    """The dotted paths, each up to its first index into a list: what is asked of the data's catalogue."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Read) and node.root in ROOTS:
            yield node.root + "".join(_dotted(node.keys))
        waiting += children(node)


def _dotted(keys: tuple[str | int, ...]) -> Iterator[str]:
    for key in keys:
        if isinstance(key, int):
            return
        yield f".{key}" if _NAME.fullmatch(key) else f".`{key}`"
