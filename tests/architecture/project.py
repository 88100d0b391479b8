"""Where the project lies and what its configuration says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "shared", "cli")
IMAGES = ("ingest", "evaluator", "dispatcher", "standalone")


def pyproject() -> dict[str, Any]:
    """The whole of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources(*folders: str) -> list[Path]:
    """Every Python file of these folders, relative to the root."""
    return sorted(file.relative_to(ROOT) for folder in folders for file in (ROOT / folder).rglob("*.py"))


def run_tool(tool: str, *arguments: str, folder: Path = ROOT, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of the virtual environment; the caller reads its exit code and what it printed."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    return subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=False, timeout=120)
