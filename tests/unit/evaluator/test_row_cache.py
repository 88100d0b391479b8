"""Decoded rows that are kept: as many as fit, and those in use last."""

from __future__ import annotations

import pytest

from services.evaluator import row_cache
from services.evaluator.core.state import ContactState
from services.evaluator.row_cache import Cached, RowCache
from services.evaluator.rows import Row


def a_row(contact: str, size: int = 10) -> Cached:
    return Row(ContactState(contact=contact)), size, 0


def a_cache(*contacts: str) -> RowCache:
    cache = RowCache()
    for contact in contacts:
        cache.put(contact, a_row(contact))
    return cache


def kept(cache: RowCache, names: str) -> str:
    return "".join(name for name in names if cache.get(name) is not None)


def test_what_was_longest_not_in_use_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 2)
    cache = a_cache("a", "b")
    cache.get("a")
    cache.put("c", a_row("c"))
    assert "ac" == kept(cache, "abc")


def test_it_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long rows are few rows."""
    monkeypatch.setattr(row_cache, "CACHED_BYTES", 100)
    cache = a_cache("a", "b", "c")
    cache.put("d", a_row("d", 85))
    assert ("cd", 95) == (kept(cache, "abcd"), cache.size)
    cache.put("c", a_row("c", 15))
    assert ("cd", 100) == (kept(cache, "abcd"), cache.size)
    cache.put("e", a_row("e", 101))
    assert ("", 0) == (kept(cache, "abcde"), cache.size)


def test_what_passes_once_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 2)
    cache = a_cache("a", "b")
    cache.put("c", a_row("c"), known_only=True)
    cache.put("a", a_row("a", 11), known_only=True)
    assert ("ab", 21) == (kept(cache, "abc"), cache.size)
