"""What a text reads: each variable with its place, what is done with it, and what a loop's variable stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from liquid import BoundTemplate, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, LoopExpression, Path
from liquid.builtin.expressions.logical import GeExpression, GtExpression, LeExpression, LtExpression
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.builtin.tags.tablerow_tag import TablerowNode
from liquid.expression import Expression

from shared.rendering.liquid import compile_liquid

EACH = "[]"
"""In a path: any item of the list."""

_ORDERS = (LtExpression, LeExpression, GtExpression, GeExpression)


class Use(msgspec.Struct, frozen=True):
    """One variable of the data: ``path`` (``event``, ``properties``, ``items``, ``[]``, ``name``) at ``offset``.

    ``filters`` are those that it goes through first. ``listed``: a loop goes over it; ``ordered``: it is compared with
    something as less or more.
    """

    path: tuple[str, ...]
    offset: int
    filters: tuple[str, ...] = ()
    listed: bool = False
    ordered: bool = False


_Scope = dict[str, tuple[str, ...] | None]
"""Names that the text itself gives: to the path that they stand for, or to None."""


def uses_of(source: str) -> tuple[Use, ...]:
    """Return every use of the data in ``source``, in the order of the text. Raises LiquidError."""
    template = compile_liquid(source, escape=False)
    return tuple(_Walk(template).all())


class _Walk:
    def __init__(self, template: BoundTemplate) -> None:
        self._nodes = template.nodes
        self._context = RenderContext(template)
        self._assigned: _Scope = {}

    def all(self) -> Iterator[Use]:
        for node in self._nodes:
            yield from self._visit(node, {})

    def _visit(self, node: Node, scope: _Scope) -> Iterator[Use]:
        for expression in node.expressions():
            yield from self._read(expression, scope, ())
        for name in node.template_scope():
            self._assigned[str(name)] = self._meant(node, scope)
        inner = {**scope, **dict.fromkeys(map(str, node.block_scope()))}
        if isinstance(node, ForNode | TablerowNode):
            path = self._path(node.expression.iterable, scope)
            inner[node.expression.identifier] = None if path is None else (*path, EACH)
        for child in node.children(self._context, include_partials=False):
            yield from self._visit(child, inner)

    def _meant(self, node: Node, scope: _Scope) -> tuple[str, ...] | None:
        """Return what an assigned name is another name of."""
        if not isinstance(node, AssignNode) or not isinstance(node.expression, FilteredExpression):
            return None
        return None if node.expression.filters else self._path(node.expression.left, scope)

    def _read(self, expression: Expression, scope: _Scope, filters: tuple[str, ...]) -> Iterator[Use]:
        if isinstance(expression, Path):
            path = self._path(expression, scope)
            if path is not None:
                yield Use(path, expression.token.start_index, filters)
        for child in expression.children():
            if isinstance(expression, FilteredExpression) and child is expression.left:
                yield from self._read(child, scope, tuple(item.name for item in expression.filters or ()))
            elif isinstance(expression, LoopExpression) and child is expression.iterable:
                yield from (msgspec.structs.replace(use, listed=True) for use in self._read(child, scope, ()))
            elif isinstance(expression, _ORDERS):
                yield from (msgspec.structs.replace(use, ordered=True) for use in self._read(child, scope, ()))
            else:
                yield from self._read(child, scope, ())

    def _path(self, expression: Expression, scope: Mapping[str, tuple[str, ...] | None]) -> tuple[str, ...] | None:
        """Return the path into the data; None: it does not lead there."""
        if not isinstance(expression, Path):
            return None
        root, *rest = expression.path
        below = [item if isinstance(item, str) else EACH for item in rest]
        name = str(root)
        for names in (scope, self._assigned):
            if name in names:
                meant = names[name]
                return None if meant is None else (*meant, *below)
        return (name, *below)
