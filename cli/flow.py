"""``kikkake journeys flow``: a journey as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.files import read_folder
from shared.journeys.flow.mermaid import draw
from shared.journeys.flow.phrases import LANGUAGES, Language


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--language", default="en", show_default=True, type=click.Choice(LANGUAGES), help="Of the labels.")
def flow(file: Path, language: Language) -> None:
    """Print the journey in FILE as a Mermaid flow chart; the templates and audiences beside it are read too."""
    faults: list[Fault] = []
    sources = read_folder(file.parent, faults).sources
    if faults:
        raise JourneyFaultsError(faults)
    found = [source.journey for source in sources if source.fields["id"].file == str(file)]
    if not found:
        raise ConfigurationError(f"{file} is no journey; a journey starts with `schema: journey/v1`")
    click.echo(draw(found[0], language), nl=False)
