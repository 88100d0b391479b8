"""Loads a folder of journeys with what stands beside them: templates, audiences, calendars, the workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from shared.errors import ConfigurationError
from shared.journeys.audiences import check_audiences, parse_audience
from shared.journeys.calendars import parse_calendar
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.model import Audience, Definitions, Template
from shared.journeys.parse import Source, parse_source
from shared.journeys.templates import parse_template
from shared.journeys.workspace import Surroundings, Workspace, parse_workspace

TEMPLATES, AUDIENCES, CALENDARS = "templates", "audiences", "calendars"
WORKSPACE_FILE, CATALOGUE_FILE = "workspace.yaml", "catalogue.yaml"


class _Named(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)


class Folder(NamedTuple):
    """What could be read of a folder: journeys with their nodes, and what stands beside them."""

    sources: tuple[Source, ...]
    audiences: tuple[Audience, ...]
    workspace: Workspace


def load_definitions(folder: Path) -> Definitions:
    """Return what ``folder`` defines.

    Journeys are its ``*.yaml`` but for ``*.test.yaml``, ``workspace.yaml`` and ``catalogue.yaml``; several versions of
    one may stand side by side. Raises JourneyFaultsError with the faults of all files, ConfigurationError when there is
    no such folder.
    """
    faults: list[Fault] = []
    found = read_folder(folder, faults)
    if faults:
        raise JourneyFaultsError(faults)
    return Definitions(
        journeys=tuple(source.journey for source in found.sources),
        audiences=found.audiences,
        timezone=found.workspace.timezone,
        locale=found.workspace.locale,
    )


def load_templates(folder: Path) -> tuple[dict[str, Template], Workspace]:
    """Return the templates of ``folder`` by id, and its workspace, whatever its journeys are like.

    Raises as ``load_definitions`` does, for the faults of these files.
    """
    _require(folder)
    faults: list[Fault] = []
    workspace = _load_workspace(folder / WORKSPACE_FILE, faults)
    templates = _load(folder / TEMPLATES, parse_template, "template", faults)
    if faults:
        raise JourneyFaultsError(faults)
    return {name: template for name, template in templates.items() if template is not None}, workspace


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigurationError(f"there is no journeys folder {folder}; name it with --journeys or KIKKAKE_JOURNEYS")


def read_folder(folder: Path, faults: list[Fault]) -> Folder:
    """Return what ``folder`` has without faults; those of all files go to ``faults``.

    Raises ConfigurationError when there is no such folder.
    """
    _require(folder)
    _refuse_other_endings(folder, faults)
    workspace = _load_workspace(folder / WORKSPACE_FILE, faults)
    audiences = _load(folder / AUDIENCES, parse_audience, "audience", faults)
    known = {name: audience for name, audience in audiences.items() if audience is not None}
    files = {name: str(folder / AUDIENCES / f"{name}.yaml") for name in known}
    faults.extend(check_audiences(known, files, audiences.keys() - known))
    calendars = _load(folder / CALENDARS, parse_calendar, "calendar", faults)
    around = Surroundings(
        templates=_load(folder / TEMPLATES, parse_template, "template", faults),
        audiences=frozenset(audiences),
        calendars={name: calendar for name, calendar in calendars.items() if calendar is not None},
        workspace=workspace,
    )
    return Folder(_read_journeys(folder, around, faults), tuple(known.values()), workspace)


def _read_journeys(folder: Path, around: Surroundings, faults: list[Fault]) -> tuple[Source, ...]:
    sources: dict[tuple[str, int], Source] = {}
    for file in sorted(folder.glob("*.yaml")):
        if file.name.endswith(".test.yaml") or file.name in (WORKSPACE_FILE, CATALOGUE_FILE):
            continue
        try:
            source = parse_source(str(file), read_text(file), around)
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        name = source.journey.id, source.journey.version
        if name in sources:
            other = sources[name].fields["id"].file
            faults.append(Fault(str(file), 1, 1, f"journey {name[0]}@{name[1]} is defined twice: also in {other}"))
        sources[name] = source
    return tuple(sources.values())


def _load_workspace(file: Path, faults: list[Fault]) -> Workspace:
    if not file.exists():
        return Workspace()
    try:
        return parse_workspace(str(file), read_text(file))
    except JourneyFaultsError as error:
        faults.extend(error.faults)
        return Workspace()


def _load(folder: Path, parse: Callable[[str, str], N], what: str, faults: list[Fault]) -> dict[str, N | None]:
    """Return what the files of ``folder`` define, by id; None: it has faults."""
    found: dict[str, N | None] = {}
    for file in sorted(folder.rglob("*.yaml")):
        expected = file.relative_to(folder).with_suffix("").as_posix()
        found.setdefault(expected, None)
        try:
            made = parse(str(file), read_text(file))
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        if made.id == expected:
            found[expected] = made
        else:
            message = f"{what} id {shown(made.id)} differs from its file; write `id: {expected}`"
            faults.append(Fault(str(file), 1, 1, message))
    return found


def _refuse_other_endings(folder: Path, faults: list[Fault]) -> None:
    """Name what would be passed over in silence."""
    inner = (found for name in (TEMPLATES, AUDIENCES, CALENDARS) for found in (folder / name).rglob("*.yml"))
    passed_over = sorted((*folder.glob("*.yml"), *inner))
    faults.extend(Fault(str(file), 1, 1, f"this file is not read; name it {file.stem}.yaml") for file in passed_over)


def read_text(file: Path) -> str:
    """Return the file's text. Raises JourneyFaultsError if it has none."""
    try:
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise JourneyFaultsError([Fault(str(file), line, 1, "not UTF-8; save the file as UTF-8")]) from error
    except OSError as error:
        raise JourneyFaultsError([Fault(str(file), 1, 1, f"cannot be read: {error.strerror}")]) from error
