"""A body as it arrives."""

from __future__ import annotations

import gzip

import pytest

from services.ingest.errors import BadBodyError, TooLargeError
from services.ingest.inflow import Inflow

JSON = b'{"userId": "u1"}'


def whole(raw: bytes, size: int, limit: int = 1000) -> tuple[bytes, int]:
    """Return the body of chunks of ``size``, and what was said to be held."""
    inflow = Inflow(limit)
    held = sum(sum(inflow.feed(raw[start : start + size])) for start in range(0, len(raw), size))
    return inflow.finish(), held


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("raw", [JSON, gzip.compress(JSON)], ids=["plain", "gzip"])
def test_however_it_is_cut(raw: bytes, size: int) -> None:
    assert (JSON, len(JSON)) == whole(raw, size)


def test_nothing() -> None:
    assert b"" == Inflow(10).finish()


def test_a_bomb_is_refused_at_the_chunk_that_goes_off() -> None:
    """200 MB of zeros in 200 KB: no more than the limit is ever in memory."""
    bomb = gzip.compress(b"0" * 200_000_000, compresslevel=1)
    inflow = Inflow(1_000_000)
    held: list[int] = []

    def swallow() -> None:
        for start in range(0, len(bomb), 1000):
            held.extend(inflow.feed(bomb[start : start + 1000]))

    with pytest.raises(TooLargeError, match="when decompressed"):
        swallow()
    assert 700_000 < sum(held) <= 1_000_000


def test_what_is_received_is_bounded_too() -> None:
    with pytest.raises(TooLargeError, match="larger than 10 bytes"):
        whole(b"x" * 11, 5, limit=10)


@pytest.mark.parametrize("raw", [gzip.compress(JSON, mtime=0)[:-9], b"\x1f\x8bnot gzip"])
def test_gzip_that_is_none(raw: bytes) -> None:
    with pytest.raises(BadBodyError):
        whole(raw, 4)


def test_what_inflates_does_so_piece_by_piece() -> None:
    """Others have their turn in between: eight megabytes at once would take everybody's time."""
    found = list(Inflow(8 * 1024 * 1024).feed(gzip.compress(b"0" * 8 * 1024 * 1024)))
    assert 8 * 1024 * 1024 == sum(found)
    assert max(found) <= 256 * 1024
