"""What is outside our subset, on cel-expr-python: Google's C++ implementation of CEL.

The library gets the smallest piece that needs it. The paths in that piece are read by us, by our null rules, and handed
over as variables, so that a missing property is null there too. An error of the library is null, and a doubt.
It stops a piece after 10,000 turns of its macros' loops. It is young: this is the only file that knows it, and nothing
here assumes that it may be called from two threads at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import msgspec

from shared.errors import ConfigurationError
from shared.expressions.errors import ExpressionError, shown
from shared.expressions.evaluate import Builder
from shared.expressions.tree import Has, Index, Literal, Node, Outside, Read, children
from shared.expressions.values import Compute, Scope

_FAULT = re.compile(r"ERROR: <input>:(-?[0-9]+):(-?[0-9]+): (.*)")
_RAISED = (RuntimeError, ValueError, TypeError, OverflowError)
"""What the binding raises: RuntimeError for CEL's own errors, the others for values that it cannot take."""
_ADVICE = (
    ("no matching overload", "the types do not fit; convert with int(), double() or string()"),
    ("undeclared reference", "a function is called with its dot or without, as CEL has it"),
)


def build_outside(node: Outside, builder: Builder) -> Compute:
    """Return a function to the value of ``node``. Raises ExpressionError; ConfigurationError without the library."""
    cel = _library(node)
    text, reads = _bound(node, builder)
    kinds = dict.fromkeys(reads, cel.Type.DYN)
    if "now" in kinds:
        kinds["now"] = cel.Type.TIMESTAMP
    try:
        strings = import_module("cel_expr_python.ext.ext_strings").ExtStrings()
        program = cel.NewEnv(variables=kinds, extensions=[strings]).compile(text)
    except _RAISED as error:
        raise _fault(node, text, str(error)) from None
    _check_patterns(node, cel)
    failed, doubts, inputs = cel.Type.ERROR, builder.doubts, tuple(reads.items())

    def outside(scope: Scope) -> Any:
        data = {name: _plain(value(scope)) for name, value in inputs}
        try:
            result = program.eval(data=data)
            if result.type() != failed:
                return _value(result.plain_value())
        except _RAISED:
            pass  # a value that the library cannot take, or its budget: an error like those it returns
        if None not in data.values():
            doubts.count += 1
        return None

    if inputs:
        return outside
    # Nothing is read, so that the answer is known: a moment in the future, or a fault that no data can heal.
    constant = outside({})
    if constant is None:
        raise ExpressionError(node.at, f"{shown(node.text)} is null whatever the data; correct the text in it")
    return lambda _scope: constant


def _check_patterns(tree: Node, cel: Any) -> None:
    """A pattern that is written out is a fault when it is wrong, not a null at each event."""
    test = cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("''.matches(pattern)")
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        pattern = node.parts[-1] if isinstance(node, Outside) and node.name == "matches" else None
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            continue
        result = test.eval(data={"pattern": pattern.value})
        if result.type() == cel.Type.ERROR:
            reason = str(result.value()).removeprefix("INVALID_ARGUMENT: ")
            raise ExpressionError(pattern.at, f"{reason}; correct the pattern, it is of RE2's kind")


def _library(node: Outside) -> Any:
    try:
        return import_module("cel_expr_python.cel")
    except ImportError:
        msg = f"{shown(node.text)} needs the package cel-expr-python: install kikkake[expressions], or write it without"
        raise ConfigurationError(msg) from None


def _bound(node: Outside, builder: Builder) -> tuple[str, dict[str, Compute]]:
    """Put a variable where each path stands. The text keeps its length, so that positions stay true."""
    text = node.text
    names: dict[tuple[bool, Read | Index], str] = {}
    reads: dict[str, Compute] = {}
    covered = 0
    for binding in sorted(node.bindings, key=lambda binding: (binding.start, -binding.end)):
        if binding.start < covered:
            continue
        covered = binding.end
        path = binding.of.of if isinstance(binding.of, Has) else binding.of
        key = (path is not binding.of, msgspec.structs.replace(path, at=0))
        if key not in names:
            names[key] = "now" if key == (False, Read(0, "now")) else f"_{len(names)}"
            reads[names[key]] = builder.build(binding.of)
        rest = re.sub(r"[^\r\n]", " ", text[binding.start : binding.end])
        text = text[: binding.start] + names[key] + rest[len(names[key]) :] + text[binding.end :]
    return text, reads


def _plain(value: Any) -> Any:
    """The library takes dict and list, not what is like them."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _value(value: Any) -> Any:
    if isinstance(value, bytearray):
        return bytes(value)
    if value is None or isinstance(value, bool | int | float | str | list | dict | datetime | timedelta):
        return value
    return None


def _fault(node: Outside, text: str, message: str) -> ExpressionError:
    found = _FAULT.search(message)
    if not found:
        return ExpressionError(node.at, f"{shown(node.text)} is not valid CEL; check it against the CEL specification")
    line, column, reason = int(found[1]), int(found[2]), found[3].removesuffix(" [INVALID_ARGUMENT]")
    before = sum(len(before) for before in text.splitlines(keepends=True)[: max(line - 1, 0)])
    advice = next((advice for word, advice in _ADVICE if word in reason), "correct it, or write it without")
    return ExpressionError(node.at + min(before + max(column - 1, 0), len(text)), f"{reason}; {advice}")
