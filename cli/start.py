"""Where ``kikkake`` starts. The imports take most of a second, and whoever stops it there reads no traceback either."""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it."""


def main() -> None:
    """Import the command and run it."""
    try:
        from cli.main import main as run  # noqa: PLC0415 - may be interrupted

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
