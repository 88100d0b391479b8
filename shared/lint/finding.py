"""What the linter says: where, how bad, and what to do."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.faults import Fault
from shared.journeys.reader import Node

Severity = Literal["fault", "warning"]


class Finding(msgspec.Struct, frozen=True, order=True):
    """One finding. Lines and columns count from 1. A fault is refused everywhere, a warning nowhere."""

    file: str
    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: severity: message``, as compilers print it."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


def warning(at: Node, message: str) -> Finding:
    """Return a warning about what stands at ``at``."""
    return Finding(at.file, at.line, at.column, "warning", message)


def fault(at: Node, message: str) -> Finding:
    """Return a fault of what stands at ``at``."""
    return Finding(at.file, at.line, at.column, "fault", message)


def of_fault(found: Fault) -> Finding:
    """Return a parser's fault as a finding."""
    return Finding(found.file, found.line, found.column, "fault", found.message)
