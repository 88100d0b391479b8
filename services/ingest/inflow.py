"""A request's body as it arrives: counted, and inflated chunk by chunk when it is gzip. Does no I/O.

A bomb costs no more than the limit: what inflates to more is refused at the chunk that does it.
"""

from __future__ import annotations

import zlib

from services.ingest.errors import BadBodyError, TooLargeError

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31


class Inflow:
    """The body so far. ``limit``: the bytes it may have, as received and inflated."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._received = 0
        self._plain = bytearray()
        self._inflater: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> int:
        """Take the next chunk, and return by how many bytes what is held has grown. Raises IngestError."""
        self._received += len(chunk)
        if self._received > self._limit:
            raise TooLargeError(f"the body is larger than {self._limit} bytes")
        before = len(self._plain)
        if self._inflater is not None:
            self._inflate(self._inflater, chunk)
        else:
            self._plain += chunk
            if before < len(_GZIP) and self._plain.startswith(_GZIP):
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
                head, self._plain = bytes(self._plain), bytearray()
                self._inflate(self._inflater, head)
        return len(self._plain) - before

    def finish(self) -> bytes:
        """Return the whole body. Raises BadBodyError when its gzip is cut short."""
        if self._inflater is not None and not self._inflater.eof:
            raise BadBodyError("the gzip body is cut short")
        return bytes(self._plain)

    def _inflate(self, inflater: zlib._Decompress, chunk: bytes) -> None:
        room = self._limit + 1 - len(self._plain)
        try:
            self._plain += inflater.decompress(chunk, room)
        except zlib.error as error:
            raise BadBodyError("the body is not valid gzip", detail=str(error)) from error
        if len(self._plain) > self._limit:
            raise TooLargeError(f"the body is larger than {self._limit} bytes when decompressed")
