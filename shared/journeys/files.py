"""Loads every journey and template of a folder."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError, shown
from shared.journeys.model import Journey, Template
from shared.journeys.parse import Source, parse_source
from shared.journeys.templates import parse_template

TEMPLATES = "templates"


def load_journeys(folder: Path) -> tuple[Journey, ...]:
    """Return the journeys of ``folder`` (``*.yaml`` but for ``*.test.yaml``), with the templates beside them.

    Several versions of one journey may stand side by side. Raises JourneyFaultsError with the faults of all files, and
    ConfigurationError when there is no such folder.
    """
    faults: list[Fault] = []
    sources = read_folder(folder, faults)
    if faults:
        raise JourneyFaultsError(faults)
    return tuple(source.journey for source in sources)


def read_folder(folder: Path, faults: list[Fault]) -> tuple[Source, ...]:
    """Return the journeys of ``folder`` that have no faults; those of all files go to ``faults``.

    Raises ConfigurationError when there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no journeys folder {folder}; name it with --journeys or KIKKAKE_JOURNEYS")
    templates = _load_templates(folder / TEMPLATES, faults)
    _refuse_other_endings(folder, faults)
    sources: dict[tuple[str, int], Source] = {}
    for file in sorted(folder.glob("*.yaml")):
        if file.name.endswith(".test.yaml"):
            continue
        try:
            source = parse_source(str(file), _read(file), templates)
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        name = source.journey.id, source.journey.version
        if name in sources:
            faults.append(Fault(str(file), 1, 1, f"journey {name[0]}@{name[1]} is defined twice"))
        sources[name] = source
    return tuple(sources.values())


def _load_templates(folder: Path, faults: list[Fault]) -> dict[str, Template | None]:
    templates: dict[str, Template | None] = {}
    for file in sorted(folder.rglob("*.yaml")):
        expected = file.relative_to(folder).with_suffix("").as_posix()
        templates.setdefault(expected, None)
        try:
            template = parse_template(str(file), _read(file))
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        if template.id == expected:
            templates[expected] = template
        else:
            message = f"template id {shown(template.id)} differs from its file; write `id: {expected}`"
            faults.append(Fault(str(file), 1, 1, message))
    return templates


def _refuse_other_endings(folder: Path, faults: list[Fault]) -> None:
    """Name what would be passed over in silence."""
    passed_over = sorted((*folder.glob("*.yml"), *(folder / TEMPLATES).rglob("*.yml")))
    faults.extend(Fault(str(file), 1, 1, f"this file is not read; name it {file.stem}.yaml") for file in passed_over)


def _read(file: Path) -> str:
    """Return the file's text. Raises JourneyFaultsError if it has none."""
    try:
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise JourneyFaultsError([Fault(str(file), line, 1, "not UTF-8; save the file as UTF-8")]) from error
    except OSError as error:
        raise JourneyFaultsError([Fault(str(file), 1, 1, f"cannot be read: {error.strerror}")]) from error
