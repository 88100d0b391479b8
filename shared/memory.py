"""Memory of this process that nothing uses any more."""

from __future__ import annotations

import contextlib
import ctypes


def give_back() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    It keeps what lies between blocks in use: a third of the whole after a million small ones were read by way of a few
    large ones (``benchmarks/restore.py``).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
