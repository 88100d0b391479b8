"""``kikkake journeys``: work on journey files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec

from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.files import load_journeys


@click.group()
def journeys() -> None:
    """Check journey files."""


@journeys.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "style", default="text", type=click.Choice(["text", "json"]))
def lint(paths: tuple[Path, ...], style: str) -> None:
    """Check every journey and template of the folders PATHS; exit 1 with a line for each fault."""
    faults: list[Fault] = []
    count = 0
    for path in paths:
        try:
            count += len(load_journeys(path))
        except JourneyFaultsError as error:
            faults.extend(error.faults)
    if style == "json":
        click.echo(json.dumps([msgspec.to_builtins(fault) for fault in faults]))
    else:
        for fault in faults:
            click.echo(str(fault))
        click.echo(f"{count} journeys, {len(faults)} faults", err=True)
    sys.exit(1 if faults else 0)
