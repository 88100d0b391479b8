"""A request's body as it arrives: counted, and inflated piece by piece when it is gzip. Does no I/O.

A bomb costs no more than the limit: what inflates to more is refused at the piece that does it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from services.ingest.errors import BadBodyError, TooLargeError

GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_PIECE = 256 * 1024
"""Bytes that are inflated at once: a fraction of a millisecond."""


class Inflow:
    """The body so far. ``limit``: the bytes it may have, as received and inflated."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._received = 0
        # Of one piece, as most are, it is that piece.
        self._plain: bytes | bytearray = b""
        self._inflater: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> Iterator[int]:
        """Take the next chunk; yield, for each piece of work that it makes, by how many bytes what is held has grown.

        Whoever goes on at once between two pieces holds up everybody else. Raises IngestError.
        """
        self._received += len(chunk)
        if self._received > self._limit:
            raise TooLargeError(f"the body is larger than {self._limit} bytes")
        if self._inflater is None and len(self._plain) < len(GZIP):
            # The two bytes that tell may come one by one.
            head = bytes(self._plain) + chunk
            if head.startswith(GZIP):
                yield -len(self._plain)
                self._plain, chunk = b"", head
                self._inflater = zlib.decompressobj(_GZIP_WINDOW)
        if self._inflater is None:
            yield self._add(chunk)
        else:
            yield from self._inflate(self._inflater, chunk)

    def finish(self) -> bytes:
        """Return the whole body. Raises BadBodyError when its gzip is cut short."""
        if self._inflater is not None and not self._inflater.eof:
            raise BadBodyError("the gzip body is cut short")
        return bytes(self._plain)

    def _inflate(self, inflater: zlib._Decompress, chunk: bytes) -> Iterator[int]:
        while chunk and not inflater.eof:
            try:
                piece = inflater.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise BadBodyError("the body is not valid gzip", detail=str(error)) from error
            chunk = inflater.unconsumed_tail
            if len(self._plain) + len(piece) > self._limit:
                raise TooLargeError(f"the body is larger than {self._limit} bytes when decompressed")
            yield self._add(piece)

    def _add(self, piece: bytes) -> int:
        if not self._plain:
            self._plain = piece
        else:
            if isinstance(self._plain, bytes):
                self._plain = bytearray(self._plain)
            self._plain += piece
        return len(piece)
