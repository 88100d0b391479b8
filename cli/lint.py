"""``kikkake journeys lint``: what is wrong with journey files, what is doubtful, what is proved."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec

from shared.wording import counted


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--format", "style", default="text", type=click.Choice(["text", "json"]))
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@click.option("--explain", is_flag=True, help="Also print what is known of each journey, and what is proved.")
def lint(paths: tuple[Path, ...], style: str, strict: bool, explain: bool) -> None:  # noqa: FBT001
    """Check every journey and template of the folders PATHS; exit 1 with a line for each fault."""
    from shared.lint.folder import lint_folder  # noqa: PLC0415 - only this command needs its packages
    from shared.lint.summary import explain as explained  # noqa: PLC0415

    if explain and style == "json":
        raise click.UsageError("--explain is a table for people; leave out --format json")
    linted = [lint_folder(path) for path in paths]
    findings = [finding for one in linted for finding in one.findings]
    if style == "json":
        click.echo(json.dumps([msgspec.to_builtins(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(str(finding))
        for line in (line for one in linted if explain for line in explained(one)):
            click.echo(line)
        journeys = sum(len(one.sources) for one in linted)
        counts = {kind: sum(finding.severity == kind for finding in findings) for kind in ("fault", "warning")}
        parts = [counted(journeys, "journey"), *(counted(number, kind) for kind, number in counts.items())]
        click.echo(", ".join(parts), err=True)
    sys.exit(1 if any(strict or finding.severity == "fault" for finding in findings) else 0)
