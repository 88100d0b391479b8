"""Builds what the contestants in other environments need, once: the Kafka Streams job and Quix Streams' own venv.

Both lie in the cache folder that tests/servers/kafka.py uses, under the digest of what they are made from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
_STREAMS = HERE / "streams"
_LOCK = HERE / "requirements.txt"
_TIMEOUT = 600


def streams_classpath() -> str:
    """Return the class path of the Kafka Streams job, compiled by Maven if need be."""
    sources = [_STREAMS / "pom.xml", *sorted(_STREAMS.rglob("*.java"))]

    def build(folder: Path) -> None:
        maven = ["mvn", "-q", "-B", "-f", str(_STREAMS / "pom.xml"), f"-Dbuilt={folder}", "compile"]
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"]
        _run([*maven, *copy])

    built = _once("streams", sources, build)
    return f"{built / 'classes'}:{built / 'jars'}/*"


def quix_python() -> Path:
    """Return the Python that has Quix Streams, installed from the lock beside this file if need be."""

    def build(folder: Path) -> None:
        uv = str(Path(sys.executable).with_name("uv"))
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        python = str(folder / "bin" / "python")
        _run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(_LOCK)])

    return _once("quix", [_LOCK], build) / "bin" / "python"


def _once(name: str, sources: Sequence[Path], build: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    cache = Path(os.environ.get("KIKKAKE_CACHE") or Path.home() / ".cache" / "kikkake").expanduser()
    folder = cache / f"benchmark-{name}-{digest}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{folder.name}.") as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            build(made)
            # Only what is complete ever gets this name.
            made.rename(folder)
    return folder


def _run(command: Sequence[str]) -> None:
    if shutil.which(command[0]) is None:
        raise SystemExit(f"there is no {command[0]} on PATH")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_TIMEOUT)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr + done.stdout)[-2000:]}")
