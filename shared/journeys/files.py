"""Loads a folder of journeys with what stands beside them: templates, audiences, calendars, the workspace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from shared.journeys.audiences import check_audiences, parse_audience
from shared.journeys.calendars import parse_calendar
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.layout import Layouts
from shared.journeys.layouts import parse_layout
from shared.journeys.model import Audience, Definitions, Template
from shared.journeys.parse import Source, parse_source
from shared.journeys.surroundings import (
    AUDIENCES,
    CALENDARS,
    CATALOGUE_FILE,
    FOLDERS,
    LAYOUTS,
    TEMPLATES,
    WORKSPACE_FILE,
    load_workspace,
    read_text,
    require_folder,
)
from shared.journeys.templates import parse_template
from shared.journeys.workspace import Surroundings, Workspace


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
        tracking=found.workspace.tracking,
    )


def load_templates(folder: Path) -> tuple[dict[str, Template], Workspace]:
    """Return the templates of ``folder`` by id, and its workspace, whatever its journeys are like.

    Raises as ``load_definitions`` does, for the faults of these files.
    """
    faults: list[Fault] = []
    workspace = load_workspace(folder, faults)
    templates = _load_templates(folder, _load_layouts(folder, faults), faults)
    if faults:
        raise JourneyFaultsError(faults)
    return {name: template for name, template in templates.items() if template is not None}, workspace


def read_folder(folder: Path, faults: list[Fault]) -> Folder:
    """Return what ``folder`` has without faults; those of all files go to ``faults``.

    Raises ConfigurationError when there is no such folder.
    """
    require_folder(folder)
    _refuse_other_endings(folder, faults)
    workspace = load_workspace(folder, faults)
    audiences = _load(folder / AUDIENCES, parse_audience, "audience", faults)
    known = {name: audience for name, audience in audiences.items() if audience is not None}
    files = {name: str(folder / AUDIENCES / f"{name}.yaml") for name in known}
    faults.extend(check_audiences(known, files, audiences.keys() - known))
    calendars = _load(folder / CALENDARS, parse_calendar, "calendar", faults)
    layouts = _load_layouts(folder, faults)
    around = Surroundings(
        templates=_load_templates(folder, layouts, faults),
        layouts=layouts,
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


def _load_layouts(folder: Path, faults: list[Fault]) -> Layouts:
    return _load(folder / LAYOUTS, parse_layout, "layout", faults)


def _load_templates(folder: Path, layouts: Layouts, faults: list[Fault]) -> dict[str, Template | None]:
    return _load(folder / TEMPLATES, partial(parse_template, layouts=layouts), "template", faults)


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
    inner = (found for name in FOLDERS for found in (folder / name).rglob("*.yml"))
    passed_over = sorted((*folder.glob("*.yml"), *inner))
    faults.extend(Fault(str(file), 1, 1, f"this file is not read; name it {file.stem}.yaml") for file in passed_over)
