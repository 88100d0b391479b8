"""Memory of this process that nothing uses any more: kept for what comes next, or given back."""

from __future__ import annotations

import contextlib
import ctypes

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Parameters of glibc's ``mallopt``."""
_LARGEST = 32 * 1024 * 1024
"""The largest that glibc takes for the first of them."""


def keep() -> None:
    """Keep freed memory for the next use, up to 64 MiB of it, where the C library can (glibc).

    Else each body and each request to Kafka is mapped and unmapped by the system, at a page fault for every 4 kB.
    """
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)


def give_back() -> None:
    """Return freed memory to the system, where the C library can (glibc).

    It keeps what lies between blocks in use: a third of the whole after a million small ones were read by way of a few
    large ones (``benchmarks/restore.py``).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
