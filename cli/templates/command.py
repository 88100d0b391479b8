"""The commands under ``kikkake templates``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError, shown, suggestion
from shared.journeys.model import Template


@click.group()
def templates() -> None:
    """Look at messages before anybody gets them."""


@templates.command()
@click.argument("template_id")
@click.option("--journeys", "folder", default="journeys", show_default=True, type=click.Path(path_type=Path))
@click.option("--locale", default=None, help="The contact's: ja, en-GB. Default: a contact without one.")
@click.option("--channel", default=None, help="email, sms, line, ... Default: each that the template has.")
@click.option(
    "--data",
    "file",
    default=None,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML or JSON with contact, event, context. Default: invented.",
)
@click.option("--format", "style", default="text", type=click.Choice(["text", "html", "json"]))
@click.option("--out", default=None, type=click.Path(path_type=Path, dir_okay=False), help="Default: the screen.")
def preview(
    template_id: str,
    folder: Path,
    locale: str | None,
    channel: str | None,
    file: Path | None,
    style: str,
    out: Path | None,
) -> None:
    """Print what a contact would get by TEMPLATE_ID; exit 1 when it would get nothing, with the reason."""
    from cli.templates.preview import as_html, as_json, as_text  # noqa: PLC0415 - only this command needs its packages
    from cli.templates.preview import preview as show  # noqa: PLC0415
    from cli.templates.samples import completed  # noqa: PLC0415

    template, workspace = _find(template_id, folder)
    invented = file is None
    data = _invented(template) if file is None else completed(_read(file))
    messages = show(template, (locale, workspace), channel, data)
    match style:
        case "html":
            text = as_html(template, messages)
        case "json":
            text = as_json(template, messages, data, invented=invented)
        case _:
            text = as_text(template, messages, invented=invented)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    sys.exit(1 if any(message.error is not None for message in messages) else 0)


def _find(name: str, folder: Path) -> tuple[Template, str | None]:
    """Return the template, and the workspace's locale."""
    from shared.journeys.files import load_templates  # noqa: PLC0415

    found, workspace = load_templates(folder)
    if name not in found:
        raise ConfigurationError(f"there is no template {shown(name)} in {folder}/templates{suggestion(name, found)}")
    return found[name], workspace.locale


def _invented(template: Template) -> dict[str, Any]:
    from cli.templates.samples import invent  # noqa: PLC0415
    from shared.rendering import uses_of  # noqa: PLC0415

    texts = [text for channels in template.locales.values() for parts in channels.values() for text in parts.values()]
    return invent(use for text in texts for use in uses_of(text))


def _read(file: Path) -> dict[str, Any]:
    from cli.simulator.values import mapping  # noqa: PLC0415
    from shared.journeys.document import read_document  # noqa: PLC0415

    faults: list[Fault] = []
    try:
        root = read_document(str(file), file.read_text(encoding="utf-8-sig"), faults)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: not UTF-8; save the file as UTF-8") from None
    data = {} if root is None else mapping(root)
    if faults:
        raise JourneyFaultsError(faults)
    return data
