"""The files and folders beside journeys, and the workspace among them. For services that read no journeys, too."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.workspace import Workspace, parse_workspace
from shared.wording import reason_of

TEMPLATES, LAYOUTS, AUDIENCES, CALENDARS, CATALOGUES = "templates", "layouts", "audiences", "calendars", "catalogue"
WORKSPACE_FILE, CATALOGUE_FILE = "workspace.yaml", "catalogue.yaml"
FOLDERS = (TEMPLATES, LAYOUTS, AUDIENCES, CALENDARS, CATALOGUES)


def load_workspace(folder: Path, faults: list[Fault]) -> Workspace:
    """Return the workspace of ``folder``, whose faults go to ``faults``.

    Raises ConfigurationError when there is no such folder.
    """
    require_folder(folder)
    file = folder / WORKSPACE_FILE
    if not file.exists():
        return Workspace()
    try:
        return parse_workspace(str(file), read_text(file))
    except JourneyFaultsError as error:
        faults.extend(error.faults)
        return Workspace()


def require_folder(folder: Path) -> None:
    """Raise ConfigurationError when there is no ``folder``."""
    if not folder.is_dir():
        raise ConfigurationError(f"there is no journeys folder {folder}; name it with --journeys or KIKKAKE_JOURNEYS")


def read_text(file: Path) -> str:
    """Return the file's text. Raises JourneyFaultsError if it has none."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise JourneyFaultsError([Fault(str(file), 1, 1, f"cannot be read: {error.strerror}")]) from error
    return _decoded(file, data)


def read_named(file: Path, by: str) -> str:
    """Return the text of a file of the operator's, which ``by`` names.

    Raises ConfigurationError where it cannot be read, JourneyFaultsError where it is no text.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}, which {by} names: {reason_of(error)}") from error
    return _decoded(file, data)


def _decoded(file: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise JourneyFaultsError([Fault(str(file), line, 1, "not UTF-8; save the file as UTF-8")]) from error
