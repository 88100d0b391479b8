"""The files beside journeys: read as UTF-8, each failure with its place, and a workspace that need not be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.surroundings import load_workspace, read_named, read_text
from shared.journeys.workspace import Workspace


def test_a_folder_without_a_workspace_has_the_standard_one(tmp_path: Path) -> None:
    faults: list[Fault] = []
    assert (Workspace(), []) == (load_workspace(tmp_path, faults), faults)


def test_the_faults_of_a_workspace_go_with_those_of_the_other_files(tmp_path: Path) -> None:
    file = tmp_path / "workspace.yaml"
    file.write_text("schema: workspace/v1\ntimezone: Nowhere/There\n")
    faults: list[Fault] = []
    assert Workspace() == load_workspace(tmp_path, faults)
    assert [(str(file), 2, 1)] == [(fault.file, fault.line, fault.column) for fault in faults]


def test_a_folder_that_is_not_there_is_no_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^there is no journeys folder .*; name it with --journeys"):
        load_workspace(tmp_path / "nowhere", [])


@pytest.mark.parametrize("read", [read_text, lambda file: read_named(file, "--keys-file")])
def test_a_mark_of_the_encoding_is_no_part_of_the_text_and_another_encoding_is_named(
    tmp_path: Path, read: object
) -> None:
    assert callable(read)
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert "a: 1\n" == read(file)
    file.write_bytes("a: 1\nb: 急須\n".encode("cp932"))
    with pytest.raises(JourneyFaultsError) as caught:
        read(file)
    assert f"{file}:2:1: not UTF-8; save the file as UTF-8" == str(caught.value)


def test_who_named_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_named(tmp_path, "--keys-file or KIKKAKE_KEYS_FILE")
    assert f"cannot read {tmp_path}, which --keys-file or KIKKAKE_KEYS_FILE names: is a directory" == str(caught.value)
