"""Rows on disk: after a crash a prefix of what was written; damaged, they are found out and never taken for good."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.evaluator.changelog import disk
from services.evaluator.changelog.disk import StateFolder
from services.evaluator.changelog.records import Stamp
from services.evaluator.changelog.rows import Mark, Place, StateUnreadableError
from shared.errors import ConfigurationError
from tests.builders import ROOT

CONTACTS = 2_000


def a_mark(epoch: int) -> Mark:
    place = Place(epoch, b"m", Stamp(1, epoch))
    return Mark("the-log", 1, place, place)


def write(folder: StateFolder, epochs: int) -> None:
    """Write rows of 500 bytes that each name their epoch, and end in order."""
    rows = folder.open(0)
    for epoch in range(1, epochs + 1):
        changes = {b"c:u:%d" % n: b"%d " % epoch + os.urandom(500) for n in range(CONTACTS)}
        rows.write({**changes, b"m": b"%d" % epoch}, a_mark(epoch))
    rows.close()


def epochs_of(folder: StateFolder) -> tuple[int, set[int], int]:
    """Return the mark's epoch (0: none), those of the rows, and their count. Raises StateUnreadableError."""
    rows = folder.open(0)
    kept = rows.kept()
    try:
        found = [int(value.split()[0]) for _, value in rows.scan()]
    finally:
        rows.close()
    return 0 if kept is None else kept.mark.resume.stamp.epoch, set(found), len(found)


WRITER = """
import itertools, os, sys
from pathlib import Path
from services.evaluator.changelog import disk
from tests.unit.evaluator.test_changelog_disk import a_mark

# So that much goes to disk before the end; the first process fills an empty folder, the next ones do not.
disk._PARTITION_WRITE_BYTES = disk._FILLING_WRITE_BYTES = 256 * 1024
rows = disk.StateFolder(Path(sys.argv[1])).open(0)
kept = rows.kept()
for epoch in itertools.count(1 if kept is None else kept.mark.resume.stamp.epoch + 1):
    changes = {b"c:u:%d" % n: b"%d " % epoch + os.urandom(500) for n in range(500)}
    rows.write({**changes, b"m": b"%d" % epoch}, a_mark(epoch))
    print(epoch, flush=True)
"""


def test_killed_at_any_time_the_rows_are_those_of_the_mark(tmp_path: Path) -> None:
    """Each write is there whole or not at all, and none without those before it; the process needs no farewell."""
    before = 0
    for number in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(40 + 7 * number):
            written = int(process.stdout.readline())
        process.kill()
        process.wait()
        mark, rows, count = epochs_of(StateFolder(tmp_path))
        assert ({mark}, 500) == (rows, count)
        # More than the memory holds was written, so that something of it is on disk.
        assert before < mark <= written + 1
        before = mark


def test_closed_in_order_it_has_everything(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    write(folder, 2)
    assert (2, {2}, CONTACTS) == epochs_of(folder)


def test_what_filled_an_empty_folder_is_read_written_and_kept_as_any(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    rows = folder.open(0)
    first = {b"c:u:%d" % n: b"first %d" % n for n in range(CONTACTS)}
    rows.write(first, a_mark(1))
    rows.write({b"c:u:7": b"second", b"c:u:8": None}, a_mark(2))
    wanted = {key[2:].decode(): value for key, value in (first | {b"c:u:7": b"second"}).items() if key != b"c:u:8"}
    assert (b"second", None) == (rows.load("u:7"), rows.load("u:8"))
    assert wanted == dict(rows.scan())
    rows.write({b"c:u:7": b"third", b"c:u:8": b"back"}, a_mark(3))
    wanted |= {"u:7": b"third", "u:8": b"back"}
    assert wanted == dict(rows.scan())
    rows.close()
    again = folder.open(0)
    kept = again.kept()
    assert kept is not None
    assert a_mark(3) == kept.mark
    assert wanted == dict(again.scan())
    again.discard("a test")
    again.write(first, a_mark(4))
    assert CONTACTS == len(dict(again.scan()))
    again.close()


# ---- damage -------------------------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    """Some bytes in the middle, as a bad block leaves them."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = b"?" * min(64, len(content) - middle)
    path.write_bytes(content)


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def deleted(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncated, emptied, overwritten, garbage, deleted], ids=lambda it: it.__name__)
@pytest.mark.parametrize("pattern", ["*.sst", "MANIFEST-*", "CURRENT", "OPTIONS-*", "*.json", "*"])
def test_damaged_it_is_discarded_or_whole(tmp_path: Path, pattern: str, damage: Callable[[Path], None]) -> None:
    """Whatever file is hit: never other rows than those of the mark, at most until each has been read once."""
    folder = StateFolder(tmp_path)
    write(folder, 2)
    for path in (tmp_path / "0").glob(pattern):
        damage(path)
    try:
        found = epochs_of(folder)
    except StateUnreadableError:
        rows = folder.open(0)
        rows.discard("a test")
        found = 0, {int(value.split()[0]) for _, value in rows.scan()}, 0
        rows.close()
    assert found in [(0, set(), 0), (2, {2}, CONTACTS)]
    write(folder, 3)
    assert (3, {3}, CONTACTS) == epochs_of(folder)


@pytest.mark.parametrize("damage", [truncated, overwritten, garbage], ids=lambda it: it.__name__)
def test_damaged_rows_are_found_when_each_is_read_once(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = StateFolder(tmp_path)
    write(folder, 2)
    for path in (tmp_path / "0").glob("*.sst"):
        damage(path)
    with capture_logs() as logs:
        try:
            assert (0, set(), 0) == epochs_of(folder)
        except StateUnreadableError:
            assert [] == logs  # whoever reads discards it
        else:
            assert ["state_discarded"] == [it["event"] for it in logs]


HANGING = """
import sys, time
from pathlib import Path
from services.evaluator.changelog import disk

disk.OPEN_SECONDS = 0.2
disk.DiskRows._open = lambda self: time.sleep(60)
disk.StateFolder(Path(sys.argv[1])).open(0)
"""


def test_a_folder_that_hangs_ends_its_process_and_is_discarded_by_the_next(tmp_path: Path) -> None:
    """RocksDB 9.8.4 reads some damaged manifests for ever."""
    folder = StateFolder(tmp_path)
    write(folder, 1)
    del folder
    ended = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)], cwd=ROOT, timeout=30, check=False, capture_output=True
    )
    assert ended.returncode != 0
    with capture_logs() as logs:
        assert (0, set(), 0) == epochs_of(StateFolder(tmp_path))
    assert ["it cannot be read: a process ended while it opened this"] == [it["reason"] for it in logs]


def test_another_releases_folder_is_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = StateFolder(tmp_path)
    write(folder, 1)
    monkeypatch.setattr(disk, "FORMAT", 2)
    with capture_logs() as logs:
        assert (0, set(), 0) == epochs_of(folder)
    assert ["it cannot be read: its format is 1, this release's is 2"] == [it["reason"] for it in logs]


# ---- whose folder it is -------------------------------------------------------------------------------------------


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with pytest.raises(ConfigurationError, match=r"another process uses .*a folder of its own with KIKKAKE_DATA"):
        StateFolder(tmp_path)
    del folder
    StateFolder(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file/state cannot be written .*KIKKAKE_DATA.*KIKKAKE_STATE=memory"):
        StateFolder(tmp_path / "file" / "state")


def test_a_partition_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    (tmp_path / "0").write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match=r"0 cannot be written: .*KIKKAKE_DATA"):
        folder.open(0)
