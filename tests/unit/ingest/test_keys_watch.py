"""Keys come and go without a restart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.ingest.keys import plain_keys
from services.ingest.keys_watch import KeysFile
from shared.journeys.faults import JourneyFaultsError


def write(path: Path, *keys: str) -> None:
    """Replace the file as a mounted ConfigMap does: another file under the same name."""
    draft = path.with_suffix(".new")
    listed = ", ".join(f"{{key: {key}}}" for key in keys)
    draft.write_text(f"schema: keys/v1\nsources: {{shop: {{keys: [{listed}]}}}}\n")
    draft.rename(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    write(path, "a")
    return path


def test_what_changes_is_read(path: Path) -> None:
    file = KeysFile(path, plain_keys(["p"]).keys)
    assert {"p", "a"} == set(file.ring.keys.write_keys)
    write(path, "a", "b")
    file.look()
    assert {"p", "a", "b"} == set(file.ring.keys.write_keys)


@pytest.mark.parametrize("harm", [lambda path: path.write_text("schema: keys/v2\n"), os.unlink], ids=["wrong", "gone"])
def test_a_file_that_is_wrong_changes_nothing_until_it_is_right(path: Path, harm: object) -> None:
    file = KeysFile(path, plain_keys([]).keys)
    harm(path)  # type: ignore[operator]
    file.look()
    assert {"a"} == set(file.ring.keys.write_keys)
    write(path, "b")
    file.look()
    assert {"b"} == set(file.ring.keys.write_keys)


def test_a_start_with_a_wrong_file_says_so(path: Path) -> None:
    path.write_text("schema: keys/v2\n")
    with pytest.raises(JourneyFaultsError):
        KeysFile(path, plain_keys([]).keys)
