"""Runs test files: each scenario by itself, in virtual time, on the one journey that its file is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from cli.simulator.calls import screen_of
from cli.simulator.claims import Trial, explain, holds, timeline
from cli.simulator.documents import read_tests
from cli.simulator.engine import AT_MOST, Arrival, Saying, Simulator
from cli.simulator.happenings import Happening, arrival_of, consents
from cli.simulator.scenario import Contact, Scenario
from services.ingest.errors import IngestError
from services.ingest.screening import Screen, load_standards
from shared.errors import KikkakeError
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import Definitions

PATTERN = "*.test.yaml"


class Report(msgspec.Struct):
    """What to print, and how many scenarios ran and failed; ``faults``: files that could not be read as they should."""

    lines: list[str]
    scenarios: int = 0
    failed: int = 0
    faults: int = 0

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return not (self.failed or self.faults)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the test files among ``paths``, and those in its folders and their folders, each once."""
    found = [file for path in paths for file in (sorted(path.rglob(PATTERN)) if path.is_dir() else [path])]
    return list(dict.fromkeys(found))


def run_suite(files: Sequence[Path]) -> Report:
    """Run every scenario of ``files``; a file with faults runs none of its own."""
    report = Report([])
    beside: dict[Path, tuple[Definitions, Screen] | None] = {}
    for file in files:
        if file.parent not in beside:
            beside[file.parent] = _folder(file.parent, report)
        found = beside[file.parent]
        if found is None:
            continue
        defined, screen = found
        faults: list[Fault] = []
        text = _text(file, faults)
        scenarios = [] if text is None else read_tests(str(file), text, defined.journeys, faults, screen)
        if faults:
            _note(faults, report)
            continue
        for scenario in scenarios:
            lines = judge(scenario, defined, screen)
            report.scenarios += 1
            report.failed += bool(lines)
            report.lines += lines
    return report


def judge(scenario: Scenario, defined: Definitions, screen: Screen | None = None) -> list[str]:
    """Run ``scenario`` beside what else is ``defined`` and return what is not as it claims; nothing when all is."""
    place = f"{scenario.file}:{scenario.claims[0].line}: {scenario.name}"
    try:
        trial = Trial(scenario, play(scenario, defined, screen))
    except KikkakeError as error:
        return [place, f"  cannot run: {error}"]
    failures = trial.simulator.failures
    if failures:
        errors = [f"  the engine raised {failure.error} at {failure.what}; report this" for failure in failures]
        return [place, *errors, *(f"  {line}" for line in timeline(trial))]
    lines = []
    for claim in scenario.claims:
        if not holds(claim, trial):
            lines += [f"{scenario.file}:{claim.line}: {scenario.name}", *explain(claim, trial)]
    return lines


def play(scenario: Scenario, defined: Definitions, screen: Screen | None = None) -> Simulator:
    """Return what the scenario's journey makes of it. Raises KikkakeError when it cannot be run."""
    begin = min([scenario.start, *(arrival.at for arrival in scenario.arrivals)])
    known = list(_known(scenario.contact, begin, screen))
    # The contact is known from before: what tells us so starts no run, and dates count from the beginning on.
    names = {arrival.event.name for arrival in known}
    at_once: dict[str, list[Saying]] = {}
    later: list[tuple[int, Arrival | Saying]] = [(arrival.at, arrival) for arrival in scenario.arrivals]
    for said in scenario.answers:
        if said.at is None:
            at_once.setdefault(said.connector, []).append(said)
        else:
            later.append((said.at, said))
    simulator = Simulator(msgspec.structs.replace(defined, journeys=(scenario.journey,)), at_once)
    awake = simulator.catalog
    quiet = {name: found for name, found in awake.triggered_by.items() if name not in names}
    simulator.catalog = msgspec.structs.replace(awake, triggered_by=quiet, entered_by={}, dated={}, number=0)
    for arrival in known:
        simulator.arrive(arrival)
    simulator.adopt(awake)
    for at, happening in sorted(later, key=lambda one: one[0]):
        if isinstance(happening, Arrival):
            simulator.arrive(happening)
        else:
            simulator.hear(happening, at)
    latest = max(scenario.start + AT_MOST, simulator.log_time)
    simulator.run_on(latest if scenario.until is None else scenario.until)
    return simulator


def _known(contact: Contact, begin: int, screen: Screen | None) -> Iterable[Arrival]:
    calls = [{"type": "identify", "traits": contact.traits}] if contact.traits else []
    for number, call in enumerate([*calls, *consents(contact.consent)]):
        # Of two statements of one instant a revocation counts: what a scenario grants at its start is newer.
        at = begin - 1 if call.get("status") == "revoked" else begin
        said = {**call, "userId": contact.id, "messageId": f"contact.{number}"}
        try:
            arrival = arrival_of(Happening(at, begin, said), screen)
        except IngestError as error:
            raise KikkakeError(f"contact: {error}") from error
        if arrival is not None:
            yield arrival


def _folder(folder: Path, report: Report) -> tuple[Definitions, Screen] | None:
    try:
        return load_definitions(folder), screen_of(load_standards(folder))
    except JourneyFaultsError as error:
        _note(error.faults, report)
        return None


def _text(file: Path, faults: list[Fault]) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        faults.append(Fault(str(file), 1, 1, "not UTF-8; save the file as UTF-8"))
    except OSError as error:
        faults.append(Fault(str(file), 1, 1, f"cannot be read: {error.strerror}"))
    return None


def _note(faults: Iterable[Fault], report: Report) -> None:
    lines = [str(fault) for fault in sorted(faults)]
    report.lines += lines
    report.faults += len(lines)
