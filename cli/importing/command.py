"""``kikkake import``."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import click

from cli.importing.lines import Form, form_of
from cli.importing.mapping import MappingError, Reading, read_columns
from cli.importing.report import summary
from shared.errors import ConfigurationError
from shared.version import USER_AGENT
from shared.wording import counted, reason_of

TYPES = ("track", "identify", "page", "screen", "group", "alias", "consent")


@click.command(name="import")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="Where Kikkake takes events.")
@click.option("--write-key", required=True, help="The write key of the source.")
@click.option("--format", "form", type=click.Choice(get_args(Form)), help="By default as the file's name says.")
@click.option("--map", "wishes", multiple=True, metavar="FIELD[:TYPE]=COLUMN", help="What a CSV column is.")
@click.option("--type", "event_type", default="track", show_default=True, type=click.Choice(TYPES))
@click.option("--event", default=None, help="The event of lines that name none.")
@click.option("--delimiter", default=",", show_default=True, help="Between the cells of a CSV row; \\t for a tab.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of the file, such as cp932.")
@click.option("--rate", default=None, type=click.FloatRange(min=0, min_open=True), help="Events per second at most.")
@click.option(
    "--patience",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Seconds without success until it gives up.",
)
@click.option("--start-journeys", is_flag=True, help="These are no history: let them start journeys.")
@click.option("--again", is_flag=True, help="Forget how far an earlier import of this file has come.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def import_(path: Path, url: str, write_key: str, **options: Any) -> None:
    """Send the history in FILE (CSV or NDJSON, gzipped or not) to a running system.

    Interrupted, the same command goes on where it stopped. Exit 1 when a line was refused:
    FILE.refused.ndjson says why.
    """
    form: Form | None = options["form"] or form_of(path)
    if form is None:
        raise click.UsageError(f"{path.name} does not say what it is: give --format csv or --format ndjson")
    try:
        columns = read_columns(options["wishes"])
    except MappingError as error:
        raise click.BadParameter(str(error), param_hint="--map") from error
    if columns and form != "csv":
        raise click.UsageError("--map is for CSV; the lines of NDJSON are calls")
    _check(url, write_key, options["encoding"], options["delimiter"].replace("\\t", "\t"))
    reading = Reading(
        file=path.name.removesuffix(".gz"),
        csv=form == "csv",
        columns=columns,
        event_type=options["event_type"],
        event=options["event"],
        timed=not options["start_journeys"],
    )
    _import(path, form, reading, url, write_key, options)


def _check(url: str, write_key: str, encoding: str, delimiter: str) -> None:
    """Raise BadParameter for a value that would fail later, or be tried again and again."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isascii() or not url.isprintable() or " " in url:
        raise click.BadParameter("an address is like http://127.0.0.1:8000", param_hint="--url")
    if not write_key.isascii() or not write_key.isprintable():
        raise click.BadParameter("a write key has only printable ASCII characters", param_hint="--write-key")
    try:
        # Lines are told apart before they are decoded.
        has_lines = "\n\n".encode(encoding).endswith(b"\n\n")
    except LookupError:
        has_lines = False
    if not has_lines:
        raise click.BadParameter(
            f"{encoding} is not known, or not one in which a line ends with one byte, as in UTF-8 or cp932",
            param_hint="--encoding",
        )
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise click.BadParameter("one character, or \\t for a tab", param_hint="--delimiter")


def _import(path: Path, form: Form, reading: Reading, url: str, write_key: str, options: dict[str, Any]) -> None:
    import time  # noqa: PLC0415 - only this command needs its packages

    import httpx2  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    from cli.importing.lines import Lines  # noqa: PLC0415
    from cli.importing.progress import Record  # noqa: PLC0415
    from cli.importing.run import import_lines  # noqa: PLC0415
    from cli.importing.sending import Sender  # noqa: PLC0415
    from shared.clock import monotonic_clock  # noqa: PLC0415

    same = {
        name: options[name] for name in ("wishes", "event_type", "event", "delimiter", "encoding", "start_journeys")
    }
    record = Record(path, {**same, "form": form, "name": reading.file}, again=options["again"])
    if record.progress.finished:
        record.close()
        click.echo(f"{path} was imported already; --again imports it once more", err=True)
        return
    what = "{task.fields[accepted]:,} events, {task.fields[refused]:,} refused {task.fields[why]}"
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn(), TextColumn(what))
    delimiter = options["delimiter"].replace("\\t", "\t")
    with (
        httpx2.Client(base_url=url, timeout=60.0, headers={"user-agent": USER_AGENT}) as client,
        Lines(path, form, encoding=options["encoding"], delimiter=delimiter, columns=reading.columns) as lines,
        Bar(*columns, console=Console(stderr=True), disable=options["quiet"]) as bar,
    ):
        sender = Sender(
            client,
            write_key,
            historical=not options["start_journeys"],
            clock=monotonic_clock,
            sleep=time.sleep,
            rate=options["rate"],
            patience=options["patience"],
        )
        task = bar.add_task("", total=lines.size, accepted=0, refused=0, why="")
        told_of: set[str] = set()

        def waited(why: str) -> None:
            bar.update(task, why=f"(waiting: {why})")
            if why not in told_of:
                told_of.add(why)
                bar.console.print(f"{why}; trying again", highlight=False, soft_wrap=True)

        def advanced(position: int) -> None:
            told_of.clear()
            told = record.progress
            bar.update(task, completed=position, accepted=told.accepted, refused=told.refused, why="")

        sender.waited = waited
        try:
            import_lines(lines, reading, sender, record, advanced)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigurationError(f"cannot read {path} to its end: {reason_of(error)}") from error
    _tell(path, record.progress.accepted, record.progress.refused, record.report_path)


def _tell(path: Path, accepted: int, refused: int, report: Path) -> None:
    click.echo(
        f"{path}: {counted(accepted, 'event')} accepted, {refused} refused{f': see {report}' if refused else ''}"
    )
    if refused:
        for line in summary(report):
            click.echo(f"  {line}")
    sys.exit(1 if refused else 0)
