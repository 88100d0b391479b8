"""A folder of journeys: what is read, what is refused, and in whose words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import Send
from tests.builders import lined
from tests.unit.shared.journeys.literals import VALID

TEMPLATE = "schema: template/v1\nid: hello\nlocales: {ja: {email: {subject: Hi, text: Hello}}}\n"
NAMED = VALID.replace("{email: {subject: Hi, text: Hello}}", "hello")


def written(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(JourneyFaultsError) as caught:
        load_definitions(folder)
    return [lined(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


def test_versions_of_a_journey_stand_side_by_side(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a.yaml": VALID, "b.yaml": VALID.replace("version: 1", "version: 2")})
    assert [("welcome", 1), ("welcome", 2)] == [
        (journey.id, journey.version) for journey in load_definitions(folder).journeys
    ]


def test_one_version_is_defined_once(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a.yaml": VALID, "b.yaml": VALID})
    assert [f"b.yaml:1: journey welcome@1 is defined twice: also in {folder}/a.yaml"] == faults(folder)


def test_tests_other_files_and_subfolders_are_left_alone(tmp_path: Path) -> None:
    folder = written(
        tmp_path, {"a.yaml": VALID, "a.test.yaml": "[", "notes.md": "#", "old/b.yaml": "[", "occasions.json": "{}"}
    )
    assert 1 == len(load_definitions(folder).journeys)


def test_an_empty_folder_has_no_journeys(tmp_path: Path) -> None:
    assert () == load_definitions(tmp_path).journeys


def test_a_missing_folder_is_the_operators_business(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no journeys folder .*/nowhere; name it with --journeys"):
        load_definitions(tmp_path / "nowhere")


def test_a_template_is_found_by_its_path(tmp_path: Path) -> None:
    template = TEMPLATE.replace("id: hello", "id: mail/hello")
    journey = NAMED.replace("template: hello", "template: mail/hello")
    [found] = load_definitions(written(tmp_path, {"a.yaml": journey, "templates/mail/hello.yaml": template})).journeys
    step = found.steps[0]
    assert isinstance(step, Send)
    assert "mail/hello" == step.template.id


def test_a_template_is_called_as_its_file(tmp_path: Path) -> None:
    folder = written(tmp_path, {"templates/mail/hello.yaml": TEMPLATE})
    expected = "templates/mail/hello.yaml:1: template id `hello` differs from its file; write `id: mail/hello`"
    assert [expected] == faults(folder)


def test_a_template_with_faults_does_not_make_faults_of_those_who_name_it(tmp_path: Path) -> None:
    """Its file is there; what is wrong is said once, where it is."""
    folder = written(tmp_path, {"a.yaml": NAMED, "templates/hello.yaml": TEMPLATE.replace("subject: Hi, ", "")})
    assert ["templates/hello.yaml:3: `subject` is missing"] == faults(folder)


def test_a_template_that_is_not_there_is_named_as_a_file(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a.yaml": NAMED})
    assert ["a.yaml:8: there is no file `templates/hello.yaml`"] == faults(folder)


def test_the_faults_of_all_files_are_found_in_one_run(tmp_path: Path) -> None:
    folder = written(
        tmp_path,
        {
            "b.yaml": VALID.replace("id: welcome", "id: B"),
            "a.yaml": "",
            "templates/x.yaml": "- x",
            "c.yml": VALID,
            "templates/y.yml": TEMPLATE,
        },
    )
    assert [
        "a.yaml:1: the file is empty; it starts with `schema:`",
        "b.yaml:2: `B` is not an id; use up to 64 small letters, digits and _, a letter first",
        "c.yml:1: this file is not read; name it c.yaml",
        "templates/x.yaml:1: expected a mapping (lines of `key: value`), not a list",
        "templates/y.yml:1: this file is not read; name it y.yaml",
    ] == faults(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# ok\n# 注文\n".encode("shift_jis"), "a.yaml:2: not UTF-8; save the file as UTF-8"),
        (VALID.encode("utf-16"), "a.yaml:1: not UTF-8; save the file as UTF-8"),
        (bytes(range(256)) * 20, "a.yaml:2: not UTF-8; save the file as UTF-8"),
        (b"\x00\x01\x02", "a.yaml:1: a character that no text has; is this a YAML file?"),
    ],
)
def test_a_file_that_is_no_text_is_a_fault(tmp_path: Path, content: bytes, expected: str) -> None:
    assert [expected] == faults(written(tmp_path, {"a.yaml": content}))


def test_the_mark_that_windows_editors_put_first_is_passed_over(tmp_path: Path) -> None:
    assert 1 == len(load_definitions(written(tmp_path, {"a.yaml": b"\xef\xbb\xbf" + VALID.encode()})).journeys)


def test_a_folder_with_the_name_of_a_journey_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    assert ["a.yaml:1: cannot be read: Is a directory"] == faults(tmp_path)


def test_a_link_to_nothing_is_a_fault(tmp_path: Path) -> None:
    os.symlink(tmp_path / "gone", tmp_path / "a.yaml")  # noqa: PTH211 - as an editor or a volume makes it
    assert ["a.yaml:1: cannot be read: No such file or directory"] == faults(tmp_path)
