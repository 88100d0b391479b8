"""The keys of a data folder: made once, never half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.standalone.credentials import FILE, load_credentials
from shared.errors import ConfigurationError


def test_they_are_made_once_and_private(tmp_path: Path) -> None:
    made = load_credentials(tmp_path)
    assert made == load_credentials(tmp_path)
    assert {FILE: 0o600} == {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}


def test_a_start_killed_while_they_are_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start makes them; what the killed one left behind is no hindrance."""

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            load_credentials(tmp_path)
    assert not (tmp_path / FILE).exists()
    made = load_credentials(tmp_path)
    assert made == load_credentials(tmp_path)
    assert [FILE] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"write_key": 1}', b"\xff"])
def test_broken_ones_are_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    """New keys in silence would lock out every page that carries the old one."""
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/{FILE} .* delete it"):
        load_credentials(tmp_path)
    assert content == (tmp_path / FILE).read_bytes()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials.new").mkdir()
    with pytest.raises(ConfigurationError, match=f"cannot read or make {tmp_path}/{FILE}: Is a directory"):
        load_credentials(tmp_path)
