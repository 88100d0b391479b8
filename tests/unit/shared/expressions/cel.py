"""The CEL library for tests: skipped with a sentence where it is not installed, demanded in CI."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

INSTALLED = find_spec("cel_expr_python") is not None

needs_library = pytest.mark.skipif(
    not INSTALLED and os.environ.get("CI") != "true",
    reason="the package cel-expr-python is not installed: pip install cel-expr-python==0.1.3",
)


def evaluate_by_library(text: str, scope: dict[str, Any]) -> Any:
    """Return what Google's CEL makes of the whole expression; ``LookupError`` when it makes an error of it."""
    cel = import_module("cel_expr_python.cel")
    # Its static check takes the sum of two unknowns for an int, and then refuses to add a text to it.
    program = cel.NewEnv(variables=dict.fromkeys(scope, cel.Type.DYN)).compile(text, disable_check=True)
    result = program.eval(data=scope)
    if result.type() == cel.Type.ERROR:
        raise LookupError(result.value())
    return result.plain_value()
