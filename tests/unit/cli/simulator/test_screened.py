"""Events of a test are held to the catalogue of its folder, as at ingest, and may be history."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.simulator.test_suite import folder, run

__all__ = ["folder"]


def test_an_event_may_come_under_another_name_of_the_folders_catalogue(folder: Path) -> None:
    (folder / "catalogue.yaml").write_text("schema: catalogue/v1\nevents: {Product Added: {aliases: [Put In]}}\n")
    events = "scenarios:\n  - name: the cart\n    events: [{at: +0m, event: Put In, properties: {name: Kettle}}]\n"
    report = run(folder, "      - {send: remind_1}\n", events)
    assert report.passed, report.lines


def test_what_ingest_would_refuse_by_the_catalogue_is_a_fault_of_the_test(folder: Path) -> None:
    (folder / "catalogue.yaml").write_text("schema: catalogue/v1\nmode: reject\n")
    events = "scenarios:\n  - name: the cart\n    events:\n      - {at: +0m, event: Prodct Added}\n"
    report = run(folder, "      - {never: {send: any}}\n", events)
    assert (1, True) == (report.faults, report.lines[0].endswith("Prodct Added: no catalogue knows the event")), report


def test_history_is_known_and_starts_nothing(folder: Path) -> None:
    event = "at: +0m, event: Product Added, properties: {name: Kettle}"
    events = "scenarios:\n  - name: the cart\n    events: [{%s, historical: %s}]\n"
    claims = "      - {count: {send: any}, equals: %d}\n"
    assert run(folder, claims % 0, events % (event, "true")).passed
    assert not run(folder, claims % 0, events % (event, "false")).passed
