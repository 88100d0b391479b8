"""The contract of ``Rows`` that outlive their process: whole writes, in their order, and nothing that has no mark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.records import Stamp
from services.evaluator.changelog.rows import Kept, Mark, Place, Rows
from tests.fakes import DurableRows

Reopen = Callable[[], Rows]
"""Close what was open, and open it again."""


def fake(_: Path) -> Reopen:
    current = [DurableRows()]

    def reopen() -> Rows:
        current.append(current[-1].after_crash())
        return current[-1]

    return reopen


def disk(path: Path) -> Reopen:
    folder = StateFolder(path)
    current = [folder.open(3)]

    def reopen() -> Rows:
        current[-1].close()
        current.append(folder.open(3))
        return current[-1]

    return reopen


@pytest.fixture(params=[fake, disk], ids=lambda adapter: adapter.__name__)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    found: Reopen = request.param(tmp_path)
    return found


def a_mark(offset: int) -> Mark:
    place = Place(offset, b"m", Stamp(2, offset))
    return Mark("the-log", 2, place, place)


def test_nothing_is_kept_at_first(reopen: Reopen) -> None:
    rows = reopen()
    assert (None, [], None) == (rows.kept(), list(rows.scan()), rows.load("u:1"))


def test_what_was_written_is_there_again_with_its_mark(reopen: Reopen) -> None:
    rows = reopen()
    rows.write(
        {b"c:u:1": b"one", b"c:u:\xe4\xba\x9c": b"two", b"c:": b"\x00", b"m": b"meta", b"o:3": b"out"}, a_mark(7)
    )
    rows.write({b"c:u:1": b"new", b"m": b"meta 2", b"o:4": b"out 2"}, a_mark(9))
    rows = reopen()
    assert Kept(a_mark(9), b"meta 2", {b"o:3": b"out", b"o:4": b"out 2"}) == rows.kept()
    assert {"u:1": b"new", "u:亜": b"two", "": b"\x00"} == dict(rows.scan())
    assert (b"new", None) == (rows.load("u:1"), rows.load("u:2"))


def test_what_is_gone_stays_gone(reopen: Reopen) -> None:
    rows = reopen()
    rows.write({b"c:u:1": b"one", b"c:u:2": b"two", b"o:3": b"out", b"m": b"meta"}, a_mark(7))
    rows.write({b"c:u:1": None, b"o:3": None, b"c:never": None}, a_mark(9))
    assert {"u:2": b"two"} == dict(rows.scan())
    rows = reopen()
    assert {"u:2": b"two"} == dict(rows.scan())
    assert Kept(a_mark(9), b"meta", {}) == rows.kept()


def test_rows_that_were_never_complete_are_not_there_again(reopen: Reopen) -> None:
    """Of a first restore that did not come to an end: nobody could say which of them are missing."""
    rows = reopen()
    rows.write({b"c:u:1": b"one"}, None)
    assert {"u:1": b"one"} == dict(rows.scan())
    rows = reopen()
    assert (None, {}) == (rows.kept(), dict(rows.scan()))


def test_discarded_it_is_as_new(reopen: Reopen) -> None:
    rows = reopen()
    rows.write({b"c:u:1": b"one"}, a_mark(7))
    rows = reopen()
    rows.discard("a test")
    assert (None, {}) == (rows.kept(), dict(rows.scan()))
    rows.write({b"c:u:2": b"two"}, a_mark(8))
    rows = reopen()
    assert (Kept(a_mark(8), None, {}), {"u:2": b"two"}) == (rows.kept(), dict(rows.scan()))
