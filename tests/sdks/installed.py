"""Installs what the SDKs run in: npm packages, a Python environment, Node.js and Chromium."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
PYTHON = Path(sys.prefix) / "sdks" / "bin" / "python"
_MODULES = FOLDER / "node_modules"
_TIMEOUT = 600.0
_DEBIAN = {"node": "nodejs", "npm": "npm", "chromium": "chromium", "firefox-esr": "firefox-esr"}


def node_packages() -> str | None:
    """Install the npm packages of package-lock.json unless they are there; None, or one sentence: why not."""
    problem = _program("node") or _program("npm")
    if problem is not None:
        return problem
    # Scripts stay unrun: no package needs its own, and they are other people's programs.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    return _once(_MODULES / ".installed", "package-lock.json", [command])


def python_packages() -> str | None:
    """Install requirements.txt into an environment of its own unless it is there; None, or one sentence: why not."""
    uv = str(Path(sys.executable).with_name("uv"))
    venv = PYTHON.parents[1]
    create = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)]
    fill = [uv, "pip", "sync", "--quiet", "--python", str(PYTHON), "--require-hashes", "requirements.txt"]
    return _once(venv / ".installed", "requirements.txt", [create, fill])


def chromium() -> str | None:
    """None when there is a Chromium, which CI takes from Debian; else one sentence: why not."""
    return _program("chromium")


def firefox() -> str | None:
    """None when there is a Firefox, which CI takes from Debian; else one sentence: why not."""
    return _program("firefox-esr")


def _program(name: str) -> str | None:
    if shutil.which(name) is None and os.environ.get("CI", "").lower() == "true" and shutil.which("apt-get"):
        wait = ["-o", "DPkg::Lock::Timeout=300"]
        for command in (["update"], ["install", "--yes", "--no-install-recommends", _DEBIAN[name]]):
            problem = _run(["apt-get", "--quiet", *wait, *command])
            if problem is not None:
                return problem
    if shutil.which(name) is None:
        return f"there is no {name} on PATH: apt-get install {_DEBIAN[name]}"
    return None


def _once(stamp: Path, lock: str, commands: Sequence[Sequence[str]]) -> str | None:
    """Run ``commands`` unless ``stamp`` says that they were run for this ``lock`` file."""
    wanted = hashlib.sha256((FOLDER / lock).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return None
    for command in commands:
        problem = _run(command)
        if problem is not None:
            return problem
    stamp.write_text(wanted)
    return None


def _run(command: Sequence[str]) -> str | None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=FOLDER, env=environment, check=False, capture_output=True, text=True, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)}: {error}"
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return None if done.returncode == 0 else f"{' '.join(command)} failed: {' '.join(said[-3:])}"
