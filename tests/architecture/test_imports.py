"""The import contracts of pyproject.toml hold, and each kind of them would notice a violation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.architecture.project import PACKAGES, ROOT, run_tool


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources with their contracts, to spoil."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(folder: Path, file: str, line: str) -> None:
    path = folder / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")


def test_imports_keep_to_the_contracts() -> None:
    """Dependencies point down: see [tool.importlinter] in pyproject.toml."""
    result = run_tool("lint-imports", "--no-cache")

    assert 0 == result.returncode, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [
        ("packages", "shared/ids.py", "import services.ingest"),
        ("packages", "services/ingest/errors.py", "import cli"),
        ("services", "services/dispatcher/worker.py", "import services.evaluator.core.state"),
        ("services", "services/evaluator/app.py", "import services.standalone"),
        ("services", "services/newcomer/__init__.py", '"""A service in no layer."""'),
        ("shared", "shared/errors.py", "import shared.log"),
        ("ingest", "services/ingest/errors.py", "import services.ingest.routes"),
        ("evaluator", "services/evaluator/core/steps.py", "import services.evaluator.processor"),
        ("evaluator", "services/evaluator/newcomer.py", '"""A module in no layer."""'),
        ("dispatcher", "services/dispatcher/core/retry.py", "import services.dispatcher.ports"),
        ("standalone", "services/standalone/storage/log.py", "import services.standalone.app"),
        ("cli", "cli/journeys.py", "import cli.dev"),
        ("no-cycles", "shared/journeys/model.py", "import shared.journeys.parse"),
        ("pure", "services/evaluator/core/steps.py", "import random"),
        ("pure", "services/dispatcher/core/retry.py", "import structlog"),
        ("pure", "shared/messages/event.py", "import shared.logs"),
        ("faust", "services/evaluator/processor.py", "import faust"),
        ("standalone-packages", "services/standalone/app.py", "import shared.kafka.publisher"),
    ],
)
def test_a_planted_violation_breaks_its_contract(copy: Path, contract: str, file: str, line: str) -> None:
    """A contract that cannot fail protects nothing."""
    (copy / file).parent.mkdir(exist_ok=True)
    plant(copy, file, line)

    result = run_tool("lint-imports", "--no-cache", "--contract", contract, folder=copy)

    assert 1 == result.returncode, result.stdout + result.stderr
    assert " 1 broken" in result.stdout


@pytest.mark.parametrize(
    "line",
    ["import time\n\ntime.time()", "import datetime\n\ndatetime.datetime.now()", "import uuid\n\nuuid.uuid4()"],
)
def test_a_clock_read_outside_shared_clock_is_refused(line: str) -> None:
    """Time and ids are arguments; only shared/clock.py may read the clock."""

    def codes(file: str) -> str:
        return run_tool("ruff", "check", "--select", "TID251", "--stdin-filename", file, "-", text=line).stdout

    assert "TID251" in codes("services/evaluator/processor.py")
    assert "TID251" not in codes("shared/clock.py")
