"""The evaluator's own main on a machine whose clock is off: ``python -m tests.faults.skewed_worker -3600000``."""

from __future__ import annotations

import sys

from services.evaluator import __main__ as evaluator
from services.evaluator import owned
from shared.clock import system_clock


def main() -> None:
    """Run with a wall clock that is ahead by so many ms; what counts how much time passes is right."""
    offset = int(sys.argv[1])
    owned.system_clock = lambda: system_clock() + offset  # type: ignore[attr-defined]
    evaluator.main()


if __name__ == "__main__":
    main()
