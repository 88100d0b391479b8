"""Random expressions of the subset whose types fit the contacts that come with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

INTS = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5) | st.sampled_from("ab")
JSON = st.recursive(
    st.none() | st.booleans() | INTS | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ijdestbclm"), inner, max_size=4),
    max_leaves=12,
)
CONTACTS = st.fixed_dictionaries(
    {
        **dict.fromkeys("ij", INTS),
        **dict.fromkeys("de", DOUBLES),
        **dict.fromkeys("st", TEXTS),
        **dict.fromkeys("bc", st.booleans()),
        "l": st.lists(INTS, min_size=1, max_size=3),
        "m": st.fixed_dictionaries({"i": INTS, "a b": TEXTS}),
    }
)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Any of them."""
    writer = _Writer(draw)
    return str(writer.one(writer.truth, writer.truth, writer.whole, writer.double, writer.text, writer.choice)(3))


class _Writer:
    """Writes one expression; ``depth`` is how far operands may still go."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def one(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chain(self, operand: Callable[[int], str], operators: str, depth: int) -> str:
        """Without brackets it tests the precedence, with brackets the grouping."""
        text = operand(depth - 1)
        for _ in range(self.one(0, 1, 1, 2)):
            text += f" {self.one(*operators.split())} {operand(depth - 1)}"
        return f"({text})" if self.one(True, False) else text

    def whole(self, depth: int) -> str:
        if depth > 0:
            return self.chain(self.whole, "+ - * / %", depth) if self.one(1, 1, 0) else f"-({self.whole(depth - 1)})"
        leaf = self.one("contact.i", 'contact["j"]', 'contact.m["i"]', "contact.l[0]", "size(contact.s)", None)
        return leaf or str(self.draw(INTS))

    def double(self, depth: int) -> str:
        if depth > 0:
            return self.chain(self.double, "+ - *", depth)
        return self.one("contact.d", "contact.e", None) or repr(self.draw(DOUBLES))

    def text(self, depth: int) -> str:
        if depth > 1:
            return self.chain(self.text, "+", depth)
        return self.one("contact.s", 'contact["t"]', 'contact.m["a b"]', None) or quoted(self.draw(TEXTS))

    def choice(self, depth: int) -> str:
        return f"({self.truth(depth - 1)}) ? {self.whole(depth - 1)} : {self.whole(depth - 1)}"

    def truth(self, depth: int) -> str:
        if depth <= 0:
            return str(self.one("contact.b", "contact.c", "true", "false", "has(contact.i)", "has(contact.zz)"))
        low = depth - 1
        return str(self.one(self.compared, self.compared, self.tested, self.joined, self.negated, self.same)(low))

    def joined(self, depth: int) -> str:
        return self.chain(lambda depth: self.same(depth) if self.one(0, 1) else self.compared(depth), "&& ||", depth)

    def negated(self, depth: int) -> str:
        return f"!({self.truth(depth)})"

    def same(self, depth: int) -> str:
        if self.one(0, 1):
            return f"({self.truth(depth)}) {self.one('==', '!=')} ({self.truth(depth)})"
        return f"({self.truth(depth)} ? {self.negated(depth)} : {self.truth(depth)})"

    def compared(self, depth: int) -> str:
        sort = self.one(self.whole, self.double, self.text, lambda _depth: f"contact.{self.one(*'ijde')}")
        return f"{sort(depth)} {self.one('==', '!=', '<', '<=', '>', '>=')} {sort(depth)}"

    def tested(self, depth: int) -> str:
        match self.one("method", "texts", "wholes", "list", "map"):
            case "method":
                return f"({self.text(depth)}).{self.one('contains', 'startsWith', 'endsWith')}({self.text(depth)})"
            case "texts":
                return f"{self.text(depth)} in [{quoted(self.draw(TEXTS))}, {self.text(depth)}, 'a']"
            case "wholes":
                return f"{self.whole(depth)} in [{self.whole(depth)}, {self.whole(depth)}]"
            case "list":
                return f"{self.whole(depth)} in contact.l"
        return f"{self.text(depth)} in contact"


def quoted(text: str) -> str:
    """The text as a literal, every doubtful character escaped."""
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text) + '"'
