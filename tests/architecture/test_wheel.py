"""The built wheel carries the whole product and imports far from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.project import PACKAGES, ROOT, run_tool

IMPORT_ALL = """
import importlib, pathlib, sys
site = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(site))
for file in sorted(site.rglob("*.py")):
    parts = file.relative_to(site).with_suffix("").parts
    if parts[-1] == "__main__":
        continue
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert module.__file__ == str(file), module.__file__
"""


def product_files() -> set[str]:
    return {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that nothing left over in the checkout gets into it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    result = run_tool(
        "uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", str(out), ".", folder=source
    )
    assert 0 == result.returncode, result.stderr
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_product(wheel: Path) -> None:
    """Data files too: a template or page left out is noticed only in production."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert product_files() == packed


def test_the_wheel_imports_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    """Nothing reaches for the checkout, and no module does work when it is imported."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)

    result = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_ALL, str(site)],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert 0 == result.returncode, result.stderr
