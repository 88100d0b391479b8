"""``python -m benchmarks.expressions``: one rule of four clauses, ours against plain Python and the CEL library."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from shared.expressions import compile_condition

RULE = (
    'event.properties.total >= 5000 && contact.country == "JP" && contact.plan in ["pro", "max"]'
    " && !contact.unsubscribed"
)
OUTSIDE = "event.properties.total >= 5000 && event.properties.items.exists(i, i.price > 3)"
SCOPE: dict[str, Any] = {
    "contact": {"country": "JP", "plan": "pro", "unsubscribed": False},
    "event": {"properties": {"total": 6000, "items": [{"price": 1}, {"price": 2}, {"price": 5}]}},
}
ROUNDS = 50_000


def plain(scope: dict[str, Any]) -> bool:
    """The rule as a programmer writes it who trusts the data."""
    contact = scope["contact"]
    return (
        scope["event"]["properties"]["total"] >= 5000
        and contact["country"] == "JP"
        and contact["plan"] in ("pro", "max")
        and not contact["unsubscribed"]
    )


def microseconds(rule: Callable[[dict[str, Any]], object]) -> float:
    """The best of five, for one evaluation."""
    return min(timeit.repeat(lambda: rule(SCOPE), number=ROUNDS, repeat=5)) / ROUNDS * 1e6


def main() -> None:
    """Measure and print."""
    base = microseconds(plain)
    ours = microseconds(compile_condition(RULE).holds)
    print(f"plain_python_us={base:.2f}")
    print(f"closures_us={ours:.2f} times_plain={ours / base:.1f}")
    compiling = min(timeit.repeat(lambda: compile_condition.__wrapped__(RULE), number=200, repeat=3)) / 200 * 1e6
    print(f"compile_us={compiling:.0f}")
    if find_spec("cel_expr_python") is None:
        print("library: the package cel-expr-python is not installed")
        return
    cel = import_module("cel_expr_python.cel")
    program = cel.NewEnv(variables=dict.fromkeys(SCOPE, cel.Type.DYN)).compile(RULE)
    library = microseconds(lambda scope: program.eval(data=scope).value())
    print(f"library_us={library:.2f} times_closures={library / ours:.1f}")
    print(f"with_a_macro_us={microseconds(compile_condition(OUTSIDE).holds):.2f}")


if __name__ == "__main__":
    main()
