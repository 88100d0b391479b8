"""The folders are where users and images expect them; files stay small; tests mirror the sources."""

from __future__ import annotations

import pytest

from tests.architecture.project import ROOT, sources

LONGEST_FILE = 350
"""Style asks for about 100 lines; a file that passes this does two jobs."""


@pytest.mark.parametrize(
    "path",
    [
        "services/ingest",
        "services/evaluator/core",
        "services/dispatcher/core",
        "services/standalone",
        "shared/messages",
        "shared/journeys",
        "cli",
        "journeys",
        "deploy",
        "benchmarks",
        "docs",
        "tests/unit",
        "tests/contract",
        "tests/architecture",
        "tests/integration",
        "tests/e2e",
        "tests/sdks",
        "requirements/dev.txt",
        ".ci/run",
        "Makefile",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "docker-compose.yml",
        "pyproject.toml",
    ],
)
def test_the_layout_is_the_one_described(path: str) -> None:
    """Tools, images and readers find things by these names."""
    assert (ROOT / path).exists()


def test_no_source_file_is_too_long() -> None:
    """A long file has more than one job: split it by noun."""
    lengths = {
        str(file): len((ROOT / file).read_text().splitlines())
        for file in sources("services", "shared", "cli", "tests", "benchmarks")
    }

    assert {} == {file: length for file, length in lengths.items() if length > LONGEST_FILE}


def test_every_module_says_its_job() -> None:
    """Each module opens with one sentence; an empty ``__init__`` says nothing and is fine in tests alone."""
    silent = [
        str(file)
        for file in sources("services", "shared", "cli")
        if not (ROOT / file).read_text().startswith(('"""', 'r"""'))
    ]

    assert [] == silent


def test_unit_tests_mirror_the_sources() -> None:
    """tests/unit/X tests services/X, shared or cli, so that a rule's test is found without a search."""
    services = {folder.parent.name for folder in (ROOT / "services").glob("*/__init__.py")}
    tested = {file.parts[2] for file in sources("tests/unit") if file.name.startswith("test_") and len(file.parts) > 3}

    others = {"shared", "cli", "deploy", "docs", "faults", "benchmarks"}
    assert set() == tested - services - others, "tests of nothing we have"
    assert set() == (services | {"shared"}) - tested, "packages without unit tests"
