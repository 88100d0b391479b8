"""The requirement files lock every dependency, agree with each other, and suffice for their image."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions

import grimp
import pytest

from tests.architecture.project import IMAGES, PACKAGES, ROOT, pyproject

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
ALL_FILES = sorted(file.name for file in (ROOT / "requirements").glob("*.txt"))


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / file).read_text()))


def declared(extra: str) -> dict[str, str]:
    """Name and whole requirement of what the project and this extra ask for."""
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"][extra]]
    names = {normalized(re.split(r"[<>=!~\[; ]", line, maxsplit=1)[0]): line for line in wanted}
    return {name: line for name, line in names.items() if name != "kikkake"}


def test_there_is_a_lock_for_development_and_for_each_image() -> None:
    """One more image needs its lock (Makefile, IMAGES)."""
    assert sorted(["dev.txt", *(f"{image}.txt" for image in IMAGES)]) == ALL_FILES


@pytest.mark.parametrize("file", ALL_FILES)
def test_a_lock_names_no_index_and_no_machine(file: str) -> None:
    """A lock is used wherever its reader has a registry: no address, no option, no path."""
    text = (ROOT / "requirements" / file).read_text()

    assert [] == re.findall(r".*(?:://|^\s*--(?!hash)|file:|(?<=\s)/).*", text, re.MULTILINE)


@pytest.mark.parametrize("file", ALL_FILES)
def test_every_pin_carries_a_hash(file: str) -> None:
    """What is installed is what was locked, byte by byte."""
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements" / file).read_text().strip())

    assert len(entries) == len(pins(file))
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_the_versions_that_were_tested(image: str) -> None:
    """Every version of an image's lock is the one of dev.txt."""
    tested = pins("dev.txt")

    assert {} == {name: version for name, version in pins(f"{image}.txt").items() if tested.get(name) != version}


@pytest.mark.parametrize("extra", ["dev", *IMAGES])
def test_every_declared_dependency_is_locked(extra: str) -> None:
    """A dependency added without `make lock` would be missing at the next set-up."""
    locked = pins(f"{extra}.txt")
    exact = {
        name: line.partition(";")[0].partition("==")[2].strip()
        for name, line in declared(extra).items()
        if "==" in line.partition(";")[0]
    }

    assert [] == sorted(set(declared(extra)) - set(locked))
    assert exact == {name: locked[name] for name in exact}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_every_package_its_service_imports(image: str) -> None:
    """Whatever the service imports, directly or through our own modules, is in its image's lock.

    But for what the CLI imports only when asked, and says that it is missing.
    """
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    [contract] = [it for it in pyproject()["tool"]["importlinter"]["contracts"] if it["id"] == "standalone-packages"]
    for importer, imported_module in (edge.split(" -> ") for edge in contract["ignore_imports"]):
        graph.remove_import(importer=importer, imported=imported_module)
    roots = [f"services.{image}", *(["cli"] if image == "standalone" else [])]
    ours = {*roots, *(module for root in roots for module in graph.find_descendants(root))}
    reached = ours.union(*(graph.find_upstream_modules(module) for module in ours))
    distributions = packages_distributions()
    imported = {
        normalized(distributions[name][0]): name
        for module in reached
        if (name := module.partition(".")[0]) in distributions and name not in PACKAGES
    }

    assert imported, "nothing found: the graph is wrong"
    assert [] == sorted(set(imported) - set(pins(f"{image}.txt")))
