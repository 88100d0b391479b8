"""Tokens into a tree: a Pratt parser for the whole of CEL's syntax that marks what is outside our subset.

Nesting is counted while parsing and depth once more over the finished tree, so that neither this parser nor whoever
walks the tree or calls its closures comes near Python's recursion limit.
"""

from __future__ import annotations

from typing import cast

from shared.expressions.errors import ExpressionError, shown
from shared.expressions.functions import MACROS, METHODS, SIZE
from shared.expressions.tokens import Token, tokenize
from shared.expressions.tree import (
    Binary,
    Binding,
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
    below,
)

NESTING = 32
"""Brackets inside brackets. CEL asks of implementations at least 12."""
DEPTH = 64
"""Levels of the tree: a chain such as ``a + b + c`` makes one with each operator, ``&&`` and ``||`` do not."""

_BINDING = {"||": 1, "&&": 2, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
_BINDING |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3)
_CONSTANTS = {"true": True, "false": False, "null": None}
_INFIX_SLIPS = {"and": "&&", "or": "||", "is": "==", "AND": "&&", "OR": "||", "=": "=="}
_MOST = 2**63


def parse(text: str) -> Node:
    """Return the tree of ``text``. Raises ExpressionError."""
    parser = _Parser(text)
    node = parser.expression()
    parser.finish()
    if low := below(node, DEPTH):
        raise ExpressionError(
            low.at, f"more than {DEPTH} operators build on each other here; split it with `all:` or `any:`"
        )
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._position = 0
        self._nesting = 0
        self._bindings: list[Binding] = []
        self._locals: list[str] = []

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    @property
    def _end(self) -> int:
        return self._tokens[self._position - 1].end

    def _take(self) -> Token:
        token = self._next
        self._position += 1
        return token

    def _taken(self, op: str) -> bool:
        if self._next.kind == "op" and self._next.text == op:
            self._position += 1
            return True
        return False

    def _expect(self, op: str, why: str) -> None:
        if not self._taken(op):
            raise self._unexpected(f"write `{op}` to {why}")

    def _unexpected(self, advice: str) -> ExpressionError:
        token = self._next
        found = "the expression ends here" if token.kind == "end" else f"{shown(token.text)} cannot stand here"
        return ExpressionError(token.start, f"{found}; {advice}")

    def finish(self) -> None:
        """Everything must have been read."""
        token = self._next
        if token.kind == "end":
            return
        meant = _INFIX_SLIPS.get(token.text)
        raise self._unexpected(f"write `{meant}`" if meant else "join two conditions with `&&` or `||`")

    def expression(self) -> Node:
        self._nesting += 1
        if self._nesting > NESTING:
            raise ExpressionError(
                self._next.start, f"nested more than {NESTING} levels deep; split it with `all:` or `any:`"
            )
        start = self._next.start
        node = self._operators(0)
        if self._taken("?"):
            if self._next.text == ".":
                raise self._unexpected("leave the `?` out: what is missing is null")
            yes = self._operators(0)
            self._expect(":", "say what holds otherwise, as in `test ? 1 : 2`")
            node = Choice(start, node, yes, self.expression())
        self._nesting -= 1
        return node

    def _operators(self, above: int) -> Node:
        start = self._next.start
        left = self._unary()
        while True:
            token = self._next
            strength = _BINDING.get(token.text, 0) if token.kind in ("op", "word") else 0
            if strength <= above:
                return left
            self._take()
            right = self._operators(strength)
            left = _joined(start, token, left, right)

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self._next.kind == "op" and self._next.text in ("!", "-"):
            signs.append(self._take())
        # -9223372036854775808 is a literal, not the negative of one that does not exist.
        negative = bool(signs) and signs[-1].text == "-" and self._next.kind in ("int", "double")
        node = self._member(signs.pop() if negative else None)
        for sign in reversed(signs):
            node = Unary(sign.start, "!" if sign.text == "!" else "-", node)
        return node

    def _member(self, sign: Token | None) -> Node:
        start = self._next.start
        node = self._literal(sign) if self._next.kind in ("int", "double", "string") else self._primary()
        while True:
            if self._taken("."):
                name = self._name(node)
                if self._taken("("):
                    self._bind(start, node, name)
                    node = self._method(start, node, name)
                else:
                    node = _selected(node, Literal(name.start, name.value if name.kind == "key" else name.text))
            elif self._taken("["):
                end = self._tokens[self._position - 2].end
                key = self.expression()
                after = _selected(node, key)
                if isinstance(node, Read) and not isinstance(after, Read):
                    self._bindings.append(Binding(start, end, node))
                self._expect("]", "close the index")
                node = after
            else:
                self._bind(start, node, None)
                return node

    def _bind(self, start: int, node: Node, method: Token | None) -> None:
        """Note where a finished path stands: a piece that goes to the library gets its value there."""
        if isinstance(node, Read):
            before = self._tokens[self._position - (4 if method else 1)]
            self._bindings.append(Binding(start, before.end, node))

    def _name(self, node: Node) -> Token:
        token = self._next
        if token.text in _CONSTANTS or token.text == "in":
            raise self._unexpected(f'a key of this name is written `["{token.text}"]`')
        if token.text == "?":
            raise self._unexpected("leave it out: what is missing is null")
        if token.kind not in ("word", "key"):
            raise self._unexpected("write a name after the dot")
        return self._take()

    def _literal(self, sign: Token | None) -> Node:
        token = self._take()
        value = token.value
        if token.kind == "int" and cast("int", value) > _MOST - (sign is None):
            raise ExpressionError(token.start, "a whole number has at most 63 bits; write it with a point: 1e19")
        return Literal(token.start, value if sign is None else -cast("float", value))

    def _primary(self) -> Node:
        token = self._next
        match token.kind, token.text:
            case "word", "true" | "false" | "null":
                self._take()
                return Literal(token.start, _CONSTANTS[token.text])
            case "word", "in":
                raise self._unexpected("write a value before and after `in`")
            case "word", _:
                return self._word()
            case "outside", _:
                self._take()
                return self._outside(token.start, token, "", ())
            case "op", "(":
                self._take()
                node = self.expression()
                self._expect(")", "close the bracket")
                return node
            case "op", "[":
                self._take()
                return ListOf(token.start, self._listed("]", "close the list"))
            case "op", "{":
                return self._map()
        raise self._unexpected("write a value, such as contact.email, 5 or 'text'")

    def _word(self) -> Node:
        token = self._take()
        if self._taken("("):
            if token.text == "has":
                return self._has(token.start)
            args = self._listed(")", "close the call")
            if token.text == SIZE:
                return Call(token.start, SIZE, args)
            return self._outside(token.start, token, token.text, args)
        if token.text in self._locals:
            return Local(token.start, token.text)
        return Read(token.start, token.text)

    def _has(self, start: int) -> Node:
        node = self.expression()
        if not isinstance(node, Index if _is_local(node) else Read) or (isinstance(node, Read) and not node.keys):
            raise ExpressionError(start, "`has` asks about one path, as in `has(contact.email)`")
        self._expect(")", "close the call")
        found = Has(start, node)
        if isinstance(node, Read):
            self._bindings[-1] = Binding(start, self._end, found)
        return found

    def _method(self, start: int, receiver: Node, name: Token) -> Node:
        variable = self._tokens[self._position]
        bound = name.text in MACROS and variable.kind == "word" and self._tokens[self._position + 1].text == ","
        if bound:
            if variable.text.startswith("_"):
                raise self._unexpected("name the variable with a letter first")
            self._locals.append(variable.text)
        args = self._listed(")", "close the call")
        if bound:
            self._locals.pop()
        if name.text in METHODS or name.text == SIZE:
            return Call(start, name.text, (receiver, *args))
        return self._outside(start, name, name.text, (receiver, *args))

    def _map(self) -> Node:
        brace = self._take()
        parts = []
        while not self._taken("}"):
            parts.append(self.expression())
            self._expect(":", "separate key and value")
            parts.append(self.expression())
            if not self._taken(","):
                self._expect("}", "close the map")
                break
        return self._outside(brace.start, brace, "{}", tuple(parts))

    def _listed(self, closing: str, why: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._taken(closing):
            items.append(self.expression())
            if not self._taken(","):
                self._expect(closing, why)
                break
        return tuple(items)

    def _outside(self, start: int, name_at: Token, name: str, parts: tuple[Node, ...]) -> Outside:
        inside = [
            Binding(binding.start - start, binding.end - start, binding.of)
            for binding in self._bindings
            if binding.start >= start
        ]
        return Outside(start, name, name_at.start, self._text[start : self._end], parts, tuple(inside))


def _is_local(node: Node) -> bool:
    while isinstance(node, Index):
        node = node.of
    return isinstance(node, Local)


def _joined(start: int, token: Token, left: Node, right: Node) -> Node:
    op = token.text
    if op not in ("&&", "||"):
        return Binary(start, op, left, right, token.start)
    parts: list[Node] = []
    for side in (left, right):
        parts += side.parts if isinstance(side, Logic) and side.op == op else (side,)
    return Logic(start, "&&" if op == "&&" else "||", tuple(parts))


def _selected(node: Node, key: Node) -> Node:
    if isinstance(node, Read) and isinstance(key, Literal):
        value = key.value
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return Read(node.at, node.root, (*node.keys, value))
    return Index(node.at, node, key)
