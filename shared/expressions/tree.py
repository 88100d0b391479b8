"""An expression as data: a frozen tagged union, no behaviour. ``at`` is the offset of a node's first character."""

from __future__ import annotations

from typing import Literal as Words

import msgspec

ROOTS = ("contact", "event", "context", "trigger", "journey", "message", "now")

Scalar = None | bool | int | float | str


class Literal(msgspec.Struct, frozen=True, tag="literal"):
    """A value that is written out."""

    at: int
    value: Scalar


class ListOf(msgspec.Struct, frozen=True, tag="list"):
    """``[a, b]``."""

    at: int
    items: tuple[Node, ...]


class Read(msgspec.Struct, frozen=True, tag="read"):
    """A path whose keys are all written out, such as ``event.properties.items[0].price``."""

    at: int
    root: str
    keys: tuple[str | int, ...] = ()


class Local(msgspec.Struct, frozen=True, tag="local"):
    """The variable of a macro: ``i`` in ``exists(i, i.price > 3)``. Occurs inside ``Outside`` alone."""

    at: int
    name: str


class Index(msgspec.Struct, frozen=True, tag="index"):
    """``of[key]``, where the key is computed or ``of`` is no path."""

    at: int
    of: Node
    key: Node


class Has(msgspec.Struct, frozen=True, tag="has"):
    """``has(path)``: the value is there and is not null."""

    at: int
    of: Read | Index


class Unary(msgspec.Struct, frozen=True, tag="unary"):
    """``!of`` or ``-of``."""

    at: int
    op: Words["!", "-"]
    of: Node


class Binary(msgspec.Struct, frozen=True, tag="binary"):
    """A comparison, ``in`` or arithmetic. ``op_at`` is where the operator stands."""

    at: int
    op: str
    left: Node
    right: Node
    op_at: int


class Logic(msgspec.Struct, frozen=True, tag="logic"):
    """``a && b && c`` or ``a || b || c``, however it was bracketed."""

    at: int
    op: Words["&&", "||"]
    parts: tuple[Node, ...]


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """``test ? yes : no``."""

    at: int
    test: Node
    yes: Node
    no: Node


class Call(msgspec.Struct, frozen=True, tag="call"):
    """A function of the subset; a method's receiver is its first argument."""

    at: int
    name: str
    args: tuple[Node, ...]


class Binding(msgspec.Struct, frozen=True):
    """A path inside the text of an ``Outside``: we read it, by our null rules, and hand the library its value."""

    start: int
    end: int
    of: Read | Has


class Outside(msgspec.Struct, frozen=True, tag="outside"):
    """The smallest piece that is outside the subset: the library evaluates ``text``.

    ``name`` is the function or macro called, ``{}`` for a map, ``""`` for a literal; ``parts`` serve the check alone.
    """

    at: int
    name: str
    name_at: int
    text: str
    parts: tuple[Node, ...]
    bindings: tuple[Binding, ...]


Node = Literal | ListOf | Read | Local | Index | Has | Unary | Binary | Logic | Choice | Call | Outside


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly under ``node``."""
    match node:
        case Literal() | Read() | Local():
            return ()
        case ListOf(items=items) | Logic(parts=items) | Call(args=items) | Outside(parts=items):
            return items
        case Index(of=of, key=key):
            return (of, key)
        case Has(of=of) | Unary(of=of):
            return (of,)
        case Binary(left=left, right=right):
            return (left, right)
        case Choice(test=test, yes=yes, no=no):
            return (test, yes, no)


def below(tree: Node, depth: int) -> Node | None:
    """Return a node more than ``depth`` levels down, if there is one. Needs no recursion itself."""
    waiting = [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        if level > depth:
            return node
        waiting += [(child, level + 1) for child in children(node)]
    return None
