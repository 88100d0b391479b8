"""The data folder: made private, and used by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from shared.errors import ConfigurationError


def claim_folder(folder: Path) -> int:
    """Make ``folder`` if it is missing and lock it. Returns the open lock file; closing it gives the folder back.

    The kernel gives the lock back when the process ends, however it ends. Raises ConfigurationError when another
    process (or another Database of this one) holds it, or when the folder cannot be written.
    """
    try:
        # What is in it is personal data.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot use {folder} as data folder: {error.strerror}") from error
    try:
        # flock and not lockf: lockf lets a second Database of the same process in.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ConfigurationError(f"another kikkake uses {folder}; name another folder with --data") from error
    return lock


def sync_folder(folder: Path) -> None:
    """Make a new entry of ``folder`` survive a power loss: SQLite does so for its files, not for their folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
