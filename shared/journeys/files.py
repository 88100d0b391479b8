"""Loads every journey and template of a folder."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.model import Journey, Template
from shared.journeys.parse import parse_journey
from shared.journeys.templates import parse_template

TEMPLATES = "templates"


def load_journeys(folder: Path) -> tuple[Journey, ...]:
    """Return the journeys of ``folder`` (``*.yaml`` but for ``*.test.yaml``), with the templates beside them.

    Several versions of one journey may stand side by side. Raises JourneyFaultsError with the faults of all files, and
    ConfigurationError when there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"there is no journeys folder {folder}; name it with --journeys or KIKKAKE_JOURNEYS")
    faults: list[Fault] = []
    templates = _load_templates(folder / TEMPLATES, faults)
    journeys: dict[tuple[str, int], Journey] = {}
    for file in sorted(folder.glob("*.yaml")):
        if file.name.endswith(".test.yaml"):
            continue
        try:
            journey = parse_journey(str(file), file.read_text(encoding="utf-8"), templates)
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        if (journey.id, journey.version) in journeys:
            faults.append(Fault(str(file), 1, 1, f"journey {journey.id}@{journey.version} is defined twice"))
        journeys[journey.id, journey.version] = journey
    if faults:
        raise JourneyFaultsError(faults)
    return tuple(journeys.values())


def _load_templates(folder: Path, faults: list[Fault]) -> dict[str, Template]:
    templates: dict[str, Template] = {}
    for file in sorted(folder.rglob("*.yaml")):
        try:
            template = parse_template(str(file), file.read_text(encoding="utf-8"))
        except JourneyFaultsError as error:
            faults.extend(error.faults)
            continue
        expected = file.relative_to(folder).with_suffix("").as_posix()
        if template.id != expected:
            faults.append(
                Fault(str(file), 1, 1, f"template id `{template.id}` differs from its file; write `{expected}`")
            )
        templates[template.id] = template
    return templates
