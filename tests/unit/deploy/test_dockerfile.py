"""deploy/Dockerfile: linted, and each image holds all that its service imports. It is not built here: no engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.deploy.files import DOCKERFILE, ROOT, SETTINGS, port, tool, variables, version

TEXT = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
IMAGES = [*SETTINGS, "standalone"]
_STARTED_AS = {
    **{name: f"import services.{name}.__main__" for name in SETTINGS},
    "standalone": "import cli.main, services.standalone.app",
}

# Runs in the image's folder with the image's packages only: whatever else is installed here cannot be found.
_IMPORT = """
import importlib.metadata, os, re, sys
locked = set(sys.argv[1].split(","))
homes = importlib.metadata.packages_distributions()

class OnlyLocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ("shared", "services", "cli") and os.path.isdir(top):
            return None
        homes_of = homes.get(top, [])
        if homes_of and not any(re.sub("[-_.]+", "-", home).lower() in locked for home in homes_of):
            raise ModuleNotFoundError(f"{name} is not among the image's packages", name=name)

sys.meta_path.insert(0, OnlyLocked)
exec(sys.argv[2])
print(sys.modules["shared"].__file__)
"""


def _stage(name: str) -> list[str]:
    """The instructions of one stage, one a line."""
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None, f"there is no stage {name}"
    return [line for line in found[1].splitlines() if line and not line.startswith("#")]


def _copies(image: str) -> list[tuple[str, str]]:
    """What is copied into ``image`` from the checkout."""
    lines = [*_stage("runtime"), *_stage(f"run-{image}")]
    pairs = [line.split()[1:] for line in lines if line.startswith("COPY ") and "--from" not in line]
    return [(source, target) for source, target in pairs]


def _entrypoint(image: str) -> list[str]:
    (line,) = [line for line in _stage(f"run-{image}") if line.startswith("ENTRYPOINT ")]
    command: list[str] = json.loads(line.removeprefix("ENTRYPOINT "))
    return command


def _locked(image: str) -> set[str]:
    lock = (ROOT / "requirements" / f"{image}.txt").read_text(encoding="utf-8")
    return {name.lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}


def _hadolint(path: Path) -> str:
    done = subprocess.run(
        [tool("hadolint"), "--no-color", str(path)], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return done.stdout


def test_hadolint_finds_nothing() -> None:
    assert "" == _hadolint(DOCKERFILE)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("FROM python:latest\n", "DL3007"),
        ("FROM python:3.11.15-slim\nRUN cd /tmp\n", "DL3003"),
        ("FROM python:3.11.15-slim\nRUN pip install faust\n", "DL3013"),
        ("FROM python:3.11.15-slim\nENTRYPOINT python -m services.ingest\n", "DL3025"),
        ("FROM python:3.11.15-slim\nUSER root\n", "DL3002"),
    ],
)
def test_hadolint_can_fail(fault: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(fault, encoding="utf-8")
    assert rule in _hadolint(tmp_path / "Dockerfile")


def test_the_base_image_is_pinned_and_is_the_python_of_the_tests() -> None:
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-trixie$", TEXT, re.MULTILINE)


def test_what_is_installed_is_locked_and_comes_as_wheels() -> None:
    (install,) = [line for line in _stage("packages") if "pip " in line]
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    for image in IMAGES:
        assert (ROOT / "requirements" / f"{image}.txt").is_file()


@pytest.mark.parametrize("service", SETTINGS)
def test_python_is_process_1(service: str) -> None:
    """In the exec form and without a shell, so that SIGTERM reaches the service and it drains."""
    assert ["python", "-m", f"services.{service}"] == _entrypoint(service)


def test_the_standalone_image_runs_kikkake_dev() -> None:
    done = subprocess.run(
        [sys.executable, *_entrypoint("standalone")[1:], "--help"],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
    )
    assert "Run everything in one process" in done.stdout, done.stderr


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_what_its_service_imports(image: str, tmp_path: Path) -> None:
    """From the files that are copied into it, with the packages that are locked for it, the service can be imported."""
    for source, target in _copies(image):
        if (ROOT / source).is_dir():
            shutil.copytree(
                ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
        else:
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / target)
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, ",".join(_locked(image)), _STARTED_AS[image]],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert 0 == done.returncode, done.stderr
    assert str(tmp_path / "shared" / "__init__.py") == done.stdout.strip(), "not the image's files were imported"


@pytest.mark.parametrize(("missing", "statement"), [("uvicorn", "import shared.health"), ("cli", "import cli.main")])
def test_the_import_check_can_fail(missing: str, statement: str, tmp_path: Path) -> None:
    """Both for a package that is installed here and for code of ours that lies in this checkout."""
    shutil.copytree(ROOT / "shared", tmp_path / "shared")
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT, "msgspec", statement],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert f"{missing} is not among the image's packages" in done.stderr


@pytest.mark.parametrize("service", SETTINGS)
def test_no_service_is_in_anothers_image(service: str) -> None:
    sources = [source for source, _ in _copies(service)]
    assert ["shared", "services/__init__.py", f"services/{service}"] == sources


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_gets_past_dockerignore(image: str) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.partition("/")[0] for source, _ in _copies(image)} | {"requirements"} <= allowed
    assert allowed <= {"requirements", "shared", "services", "cli"}, "nothing else belongs into an image"


@pytest.mark.parametrize("image", IMAGES)
def test_the_user_is_not_root_and_given_by_number(image: str) -> None:
    users = [line for line in [*_stage("runtime"), *_stage(f"run-{image}")] if line.startswith("USER ")]
    assert ["USER 10001:10001"] == users


@pytest.mark.parametrize("image", IMAGES)
def test_the_port_and_the_health_check_are_those_of_the_settings(image: str) -> None:
    lines = _stage(f"run-{image}")
    expected = port("ingest" if image == "standalone" else image)
    assert f"EXPOSE {expected}" in lines
    (check,) = [line for line in lines if line.startswith("HEALTHCHECK ")]
    assert f"http://127.0.0.1:{expected}/livez" in check


@pytest.mark.parametrize("service", SETTINGS)
def test_every_variable_is_a_setting_of_its_service(service: str) -> None:
    set_here = set(re.findall(r"\b(KIKKAKE_[A-Z_]+)=", " ".join(_stage(f"run-{service}"))))
    assert set_here
    assert set() == set_here - variables(service)


def test_the_version_is_the_projects() -> None:
    assert f"ARG VERSION={version()}" in _stage("runtime")
