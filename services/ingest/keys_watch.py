"""Reads the keys file again when it has changed, so that a key is handed out or withdrawn without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from services.ingest.keys import KeyRing, Keys
from services.ingest.keys_file import read_keys
from shared.errors import KikkakeError

_LOG = structlog.get_logger(__name__)

SECONDS = 5.0
"""Between two looks at the file."""


class KeysFile:
    """The file ``path``, and ``ring``, which always holds what it said when it was last right, beside ``plain``."""

    def __init__(self, path: Path, plain: Keys) -> None:
        """Read the file. Raises as ``read_keys`` does."""
        self._path = path
        self._plain = plain
        self._seen = self._stamp()
        self.ring = KeyRing(self._read())

    def look(self) -> None:
        """Read the file if it is another than before. One with faults changes nothing, and the log says so once."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.ring.keys = self._read()
        except KikkakeError as error:
            _LOG.error("ingest.keys_file_ignored", file=str(self._path), error=str(error))
        else:
            _LOG.info("ingest.keys_file_read", file=str(self._path), keys=len(self.ring.keys.write_keys))

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(SECONDS)
            self.look()

    def _read(self) -> Keys:
        found = read_keys(self._path)
        return Keys(write_keys={**self._plain.write_keys, **found.write_keys}, admins=found.admins)

    def _stamp(self) -> tuple[int, int] | None:
        # Of the file that a link leads to: a mounted ConfigMap or Secret changes by another link.
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino
