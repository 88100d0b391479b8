"""``kikkake journeys``: work on journey files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from shared.errors import ConfigurationError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import Definitions
from shared.journeys.schema.kinds import KINDS, json_schema
from shared.wording import counted

if TYPE_CHECKING:  # only two commands need the engine's packages
    from cli.simulator.engine import Arrival, Failure
    from services.ingest.screening import Screen


_OTHERS = ("catalogue", "connectors", "keys", "providers", "test", "webhooks")
"""Kinds of files that are no part of the journey language."""


@click.group()
def journeys() -> None:
    """Check journey files, try them out and test them."""


@journeys.command()
@click.option("--journeys", "folder", default="journeys", show_default=True, type=click.Path(path_type=Path))
@click.option("--events", type=click.File("rb"), help="One Segment call a line (NDJSON); - reads stdin.")
@click.option("--log", type=click.File("rb"), help="A file of `kikkake log record`, in place of --events.")
@click.option("--until", default=None, help="30d after the last event, or an ISO time; default: until nothing is due.")
@click.option(
    "--answers", "answered", default=None, type=click.Path(path_type=Path), help="What connectors answer (YAML)."
)
@click.option("--explain", is_flag=True, help="Also print the cause, the checks and when the run goes on.")
@click.option("--compare", "other", type=click.Path(path_type=Path), help="A folder: what would its journeys change?")
@click.option("--format", "style", default=None, type=click.Choice(["table", "json", "ndjson"]), help="Of --compare.")
def simulate(
    *,
    folder: Path,
    events: BinaryIO | None,
    log: BinaryIO | None,
    until: str | None,
    answered: Path | None,
    explain: bool,
    other: Path | None,
    style: str | None,
) -> None:
    """Print what the journeys would decide over recorded events: one decision a line, the same on every run."""
    if (events is None) == (log is None):
        raise click.UsageError("name one file, with --events or with --log")
    if other is None and style is not None:
        raise click.UsageError("--format belongs to --compare")
    if other is not None:
        if events is None:
            raise click.UsageError("--compare works on --events")
        _compare((folder, other), events, until, answered, style or "table", explain=explain)
        return
    if log is not None:
        if until is not None:
            raise click.UsageError("--until belongs to --events: a recorded log ends where it ends")
        if answered is not None:
            raise click.UsageError("--answers belongs to --events: a recorded log has the answers in it")
        _replay(folder, log, explain=explain)
    elif events is not None:
        _simulate(folder, events, until, answered, explain=explain)


def _simulate(folder: Path, events: BinaryIO, until: str | None, answered: Path | None, *, explain: bool) -> None:
    from cli.simulator.answers import read_answers  # noqa: PLC0415 - only this command needs its packages
    from cli.simulator.calls import read_calls  # noqa: PLC0415 - only this command needs its packages
    from cli.simulator.decisions import effective, line_of  # noqa: PLC0415
    from cli.simulator.engine import simulate as run  # noqa: PLC0415

    faults: list[Fault] = []
    live = _load(folder, faults)
    screen = _screen(folder, faults)
    arrivals = list(read_calls(_name_of(events), events, faults, screen))
    answers = {} if answered is None else read_answers(answered, faults)
    _stop_at(faults)
    end = _end(until, max((arrival.at for arrival in arrivals), default=0))
    simulated = run(live, arrivals, until=end, answers=answers)
    out = click.get_binary_stream("stdout")
    out.writelines(f"{line_of(decided, explain=explain)}\n".encode() for decided in effective(simulated.decided))
    out.flush()
    _exit_with(simulated.failures)


def _compare(
    folders: tuple[Path, Path],
    events: BinaryIO,
    until: str | None,
    answered: Path | None,
    style: str,
    *,
    explain: bool,
) -> None:
    from cli.simulator.answers import read_answers  # noqa: PLC0415 - only this command needs its packages
    from cli.simulator.calls import read_calls  # noqa: PLC0415 - only this command needs its packages
    from cli.simulator.compare import compare, rewindable  # noqa: PLC0415
    from cli.simulator.tables import lines_of  # noqa: PLC0415

    faults: list[Fault] = []
    base, other = (_load(folder, faults) for folder in folders)
    # The events came in by what the first folder says of them: that one was live.
    screen = _screen(folders[0], faults)
    lines = rewindable(events)

    def arrivals() -> Iterator[Arrival]:
        lines.seek(0)
        return read_calls(_name_of(events), lines, faults, screen)

    last = max((arrival.at for arrival in arrivals()), default=0)
    answers = {} if answered is None else read_answers(answered, faults)
    _stop_at(faults)
    found = compare(base, other, arrivals, until=_end(until, last), explain=explain, answers=answers)
    for line in lines_of(found, style, *map(str, folders)):
        click.echo(line)
    _exit_with(found.failures)


def _screen(folder: Path, faults: list[Fault]) -> Screen | None:
    """Return what ingest holds events to in the workspace of ``folder``, whose faults go to ``faults``."""
    from cli.simulator.calls import screen_of  # noqa: PLC0415 - only these commands need its packages
    from services.ingest.screening import load_standards  # noqa: PLC0415

    try:
        return None if faults else screen_of(load_standards(folder))
    except JourneyFaultsError as error:
        faults.extend(error.faults)
        return None


def _stop_at(faults: Sequence[Fault]) -> None:
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        sys.exit(1)


def _end(until: str | None, last: int) -> int | None:
    from cli.simulator.times import parse_until  # noqa: PLC0415 - only these commands need its packages

    try:
        return None if until is None else parse_until(until, last)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from error


def _exit_with(failures: Sequence[Failure]) -> None:
    for failure in failures:
        click.echo(f"kikkake: contact {failure.contact}, {failure.what}: {failure.error}; report this", err=True)
    sys.exit(1 if failures else 0)


def _replay(folder: Path, log: BinaryIO, *, explain: bool) -> None:
    from cli.recording import read_recording  # noqa: PLC0415 - only this command needs its packages
    from cli.simulator.decisions import line_of  # noqa: PLC0415
    from cli.simulator.replay import replay  # noqa: PLC0415

    defined = load_definitions(folder)
    out = click.get_binary_stream("stdout")
    for found in replay(defined, read_recording(_name_of(log), log), lambda said: click.echo(said, err=True)):
        out.write(f"{line_of(found, explain=explain)}\n".encode())
    out.flush()


def _name_of(file: BinaryIO) -> str:
    name = str(getattr(file, "name", "-"))
    return "stdin" if name in ("-", "<stdin>") else name


def _load(folder: Path, faults: list[Fault]) -> Definitions:
    try:
        return load_definitions(folder)
    except JourneyFaultsError as error:
        faults.extend(error.faults)
        return Definitions(journeys=())


@journeys.command()
@click.option("--kind", default="journey", show_default=True, type=click.Choice([*KINDS, *_OTHERS]))
def schema(kind: str) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    click.echo(json.dumps(_schema_of(kind), indent=2, ensure_ascii=False))


def _schema_of(kind: str) -> dict[str, Any]:
    """Return the schema; each kind needs packages of its own, and no other kind's."""
    match kind:
        case "catalogue":
            from shared.catalogue.schema import schema_of_catalogues  # noqa: PLC0415

            return schema_of_catalogues()
        case "test":
            from cli.simulator.schema import schema_of_tests  # noqa: PLC0415

            return schema_of_tests()
        case "connectors" | "providers" | "keys" | "webhooks":
            try:
                return _of_operator(kind)
            except ModuleNotFoundError as error:
                service = "dispatcher" if kind in ("connectors", "providers") else "ingest"
                raise ConfigurationError(f"{error.name} is not installed: install kikkake[{service}]") from error
        case _:
            return json_schema(kind)


def _of_operator(kind: str) -> dict[str, Any]:
    """Return the schema of a file of the operator's. Raises ModuleNotFoundError."""
    match kind:
        case "connectors":
            from services.dispatcher.connectors.schema import schema_of_connectors  # noqa: PLC0415

            return schema_of_connectors()
        case "providers":
            from services.dispatcher.provider_schema import schema_of_providers  # noqa: PLC0415

            return schema_of_providers()
        case "keys":
            from services.ingest.keys_schema import schema_of_keys  # noqa: PLC0415

            return schema_of_keys()
        case _:
            from services.ingest.webhooks.schema import schema_of_webhooks  # noqa: PLC0415

            return schema_of_webhooks()


@journeys.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def run_tests(paths: tuple[Path, ...]) -> None:
    """Run the *.test.yaml files PATHS, or all those in the folders PATHS; exit 1 with expected against actual."""
    from cli.simulator.suite import find_files, run_suite  # noqa: PLC0415 - only this command needs its packages

    files = find_files(paths)
    if not files:
        raise ConfigurationError(f"there is no *.test.yaml in {', '.join(map(str, paths))}")
    report = run_suite(files)
    for line in report.lines:
        click.echo(line)
    faults = f", {counted(report.faults, 'fault')}" if report.faults else ""
    click.echo(f"{counted(report.scenarios, 'scenario')}, {report.failed} failed{faults}")
    sys.exit(0 if report.passed else 1)
