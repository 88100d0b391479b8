"""A journey that another names is in the folder, and an enrolment finds one that takes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shared.journeys.model import ApiTrigger, Enrol, Journey, JourneyTrigger
from shared.journeys.parse import Source, parse_source
from shared.lint.names import unknown_journeys
from tests.unit.shared.lint.folders import journey, told


def source(name: str, **changes: object) -> Source:
    """Return a journey of one step ``a``, with what no file can say in this release."""
    read = parse_source("x.yaml", journey(name))
    changed: Journey = msgspec.structs.replace(read.journey, **changes)
    return read._replace(journey=changed)


def said(one: Source, *others: Source) -> list[str]:
    return [finding.message for finding in unknown_journeys(one, (one, *others))]


def test_a_condition_asks_about_a_journey_that_is_not_there(tmp_path: Path) -> None:
    asks = journey("a", "[{id: way, branch: [{if: {in_journey: {id: winbak}}, then: []}]}]")
    assert ["1:7: warning: there is no journey `winbak` in this folder; did you mean `winback`?"] == told(
        tmp_path, asks, journey("winback")
    )


def test_a_trigger_waits_for_the_end_of_a_journey_that_is_not_there() -> None:
    waits = source("a", triggers=(JourneyTrigger(journey="winbak"),))
    assert ["there is no journey `winbak` in this folder; known: a"] == said(waits)
    assert [] == said(source("a", triggers=(JourneyTrigger(journey="b"),)), source("b"))


def test_an_enrolment_needs_a_journey_that_takes_it() -> None:
    enrols = source("a", steps=(Enrol(id="a", journey="b"),))
    assert ["there is no journey `b` in this folder; known: a"] == said(enrols)
    assert ["`b` takes no enrolments; give it a trigger of `type: api`"] == said(enrols, source("b"))
    assert [] == said(enrols, source("b", triggers=(ApiTrigger(),)))
