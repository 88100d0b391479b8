"""Everything that is to be said of a folder of journeys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from shared.catalogue.reader import load_catalogue
from shared.journeys.faults import Fault
from shared.journeys.files import read_folder
from shared.journeys.flow.proofs import Study, study, verdicts
from shared.journeys.model import ExitAfter, WaitFor, all_steps
from shared.journeys.parse import Source
from shared.journeys.reader import Node
from shared.journeys.surroundings import AUDIENCES
from shared.lint.data import made_here, unknown_data, unknown_in
from shared.lint.finding import Finding, of_fault, warning
from shared.lint.names import unknown_journeys
from shared.lint.reads import reads_of_condition
from shared.lint.together import conflicts


class Linted(msgspec.Struct, frozen=True):
    """The findings in the order of files and lines, and what was read: of each journey every version without faults.

    ``studies`` are those of ``newest``, the highest version of each journey.
    """

    findings: tuple[Finding, ...]
    sources: tuple[Source, ...]
    newest: tuple[Source, ...]
    studies: tuple[Study, ...]


def lint_folder(folder: Path) -> Linted:
    """Return what is to be said of ``folder``. Raises ConfigurationError when there is no such folder."""
    faults: list[Fault] = []
    read = read_folder(folder, faults)
    sources = read.sources
    catalogue = load_catalogue(folder, faults)
    newest = tuple({source.journey.id: source for source in sorted(sources, key=_version)}.values())
    studies = tuple(study(source.journey) for source in newest)
    findings = {of_fault(found) for found in faults}
    journeys = [source.journey for source in sources]
    known = catalogue.joined(made_here(journeys))
    for source in newest:
        findings.update(unknown_data(source, known, journeys))
        findings.update(_alone(source))
        findings.update(unknown_journeys(source, newest))
    for audience in read.audiences:
        at = Node(None, str(folder / AUDIENCES / f"{audience.id}.yaml"), 1, 1, faults)
        findings.update(unknown_in(reads_of_condition(audience.where, at), known))
    for source, studied in zip(newest, studies, strict=True):
        findings.update(_open(source, studied))
    findings.update(conflicts(newest, studies))
    return Linted(tuple(sorted(findings)), sources, newest, studies)


def _version(source: Source) -> tuple[str, int]:
    return source.journey.id, source.journey.version


def _alone(source: Source) -> Iterator[Finding]:
    """Runs that may stay for ever: each keeps its row, and `after_exit` never lets the contact in again."""
    if any(isinstance(rule, ExitAfter) for rule in source.journey.exits):
        return
    for step in all_steps(source.journey.steps):
        if isinstance(step, WaitFor) and step.timeout is None:
            message = f"a run may stay at `{step.id}` for ever; add a `timeout`, or an exit `after` some time"
            yield warning(source.steps[step.id], message)


def _open(source: Source, known: Study) -> Iterable[Finding]:
    for number, verdict in enumerate(verdicts(known)):
        if verdict.status == "open":
            [(name, at)] = source.fields["invariants"].value[number].value.items()
            yield warning(at, f"`{name}` is neither proved nor refuted: {verdict.because}")
