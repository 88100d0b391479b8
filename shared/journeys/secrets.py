"""Secrets of the operator's files: named there, never written there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.journeys.faults import shown
from shared.journeys.reader import Node


def secret_of(node: Node, environment: Mapping[str, str]) -> bytes:
    """Return what ``{env: NAME}`` or ``{file: PATH}`` holds; in the file itself no secret can stand.

    A fault and nothing where there is none.
    """
    # Whatever else stands there may be the secret itself: it is not quoted.
    fields = node.fields(("env", "file")) if node.is_a(dict) else {}
    if ("env" in fields) == ("file" in fields):
        node.fault("a secret is `{env: NAME}` or `{file: PATH}`")
        return b""
    if "env" in fields:
        variable = fields["env"].text()
        found = environment.get(variable, "").encode()
        if variable and not found:
            fields["env"].fault(f"the environment variable {variable} is not set")
        return found
    path = fields["file"].text()
    try:
        found = Path(path).read_bytes().strip()
    except (OSError, ValueError) as error:  # ValueError: a NUL, which no path has
        reason = error.strerror if isinstance(error, OSError) else error
        fields["file"].fault(f"the secret's file {shown(path)} cannot be read: {reason}")
        return b""
    if not found:
        fields["file"].fault("the file of the secret is empty")
    return found
