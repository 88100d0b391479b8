"""Audience files, and what a journey says about them: what is read, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.clock import DAY
from shared.journeys.audiences import parse_audience
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.model import Audience, AudienceTrigger, ExitOnAudience, Journey
from shared.journeys.parse import parse_journey
from shared.journeys.predicate import All, Expression, InAudience, Not, Performed, Reachable
from shared.journeys.workspace import Surroundings
from tests.unit.shared.journeys.literals import VALID, changed

TRIGGER = "{type: event, event: Signed Up}"


def written(where: str, more: str = "") -> str:
    return f"schema: audience/v1\nid: vip\n{more}where: {where}\n"


def told(text: str) -> list[str]:
    with pytest.raises(JourneyFaultsError) as raised:
        parse_audience("vip.yaml", text)
    return [fault.message for fault in raised.value.faults]


def journey(text: str) -> Journey:
    return parse_journey("journey.yaml", text, Surroundings(audiences=frozenset(["vip"])))


def test_every_word_of_an_audience() -> None:
    text = written(
        "{all: [contact.vip == true, {in_audience: buyers}, {not: {reachable: [sms]}}]}",
        "name: Best\ndescription: Our best\n",
    )
    where = All((Expression("contact.vip == true"), InAudience("buyers"), Not(Reachable(("sms",)))))
    assert Audience(id="vip", where=where, name="Best", description="Our best") == parse_audience("vip.yaml", text)
    short = parse_audience("vip.yaml", written("{performed: {event: X, within: 1d}}"))
    assert Audience(id="vip", where=Performed(event="X", within=DAY)) == short


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schema: audience/v1\nid: vip\n", ["`where` is missing"]),
        (
            written("contact.vip == true", "limit: 3\n"),
            ["unknown key `limit`; known: description, id, name, schema, where"],
        ),
        (
            written("{performed: {event: X, since: entry}}"),
            ["`since: entry` has no meaning in an audience, which has no run; write `within`"],
        ),
        (
            written("{message: {step: hello, was: opened}}"),
            ["an audience cannot ask about a run (`message`, `in_journey`)"],
        ),
        (written("{in_journey: {id: cart}}"), ["an audience cannot ask about a run (`message`, `in_journey`)"]),
        (written("{online: {within: 2m}}"), ["an audience cannot ask what time it is (`time`, `online`)"]),
        (written("{not: {time: {from: '09:00'}}}"), ["an audience cannot ask what time it is (`time`, `online`)"]),
        (written("event.properties.total > 3"), ["an audience can only look at `contact`, not at `event`"]),
        (
            written("{performed: {event: Audience Entered, within: 1d}}"),
            ["an audience asks about another one with `in_audience`"],
        ),
        (
            written("{aggregate: {event: Audience Left, fn: count, is: '> 3'}}"),
            ["an audience asks about another one with `in_audience`"],
        ),
    ],
)
def test_a_fault_says_what_to_do(text: str, expected: list[str]) -> None:
    assert expected == told(text)


def test_the_events_that_an_audience_counts_may_be_asked_for_what_is_in_them() -> None:
    text = written("{performed: {event: X, within: 1d, where: event.properties.total > 3}}")
    where = Expression("event.properties.total > 3")
    assert Performed(event="X", within=DAY, where=where) == parse_audience("vip.yaml", text).where


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("{type: audience, audience: vip}", AudienceTrigger(audience="vip")),
        ("{type: audience, audience: vip, edge: left}", AudienceTrigger(audience="vip", edge="left")),
        (
            "{type: audience, audience: vip, edge: entered, where: contact.age > 18}",
            AudienceTrigger(audience="vip", where=Expression("contact.age > 18")),
        ),
    ],
)
def test_a_trigger_by_an_audience(trigger: str, expected: AudienceTrigger) -> None:
    assert (expected,) == journey(changed(TRIGGER, trigger)).triggers


def test_an_exit_by_an_audience() -> None:
    text = changed("entry: {priority: 10}", "exit: [{reason: fallen, audience_left: vip}]")
    assert (ExitOnAudience(reason="fallen", audience="vip"),) == journey(text).exits


def test_a_condition_by_an_audience() -> None:
    assert InAudience("vip") == journey(changed("{priority: 10}", "{where: {in_audience: vip}}")).entry.where


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (TRIGGER, "{type: audience, audience: vop}", "there is no file `audiences/vop.yaml`; did you mean `vip`?"),
        (TRIGGER, "{type: audience, audience: vip, edge: out}", "unknown edge `out`; known: entered, left"),
        (TRIGGER, "{type: audience}", "`audience` is missing"),
        (
            "entry: {priority: 10}",
            "exit: [{reason: fallen, audience_left: vop}]",
            "there is no file `audiences/vop.yaml`; did you mean `vip`?",
        ),
        (
            "{priority: 10}",
            "{where: {not: {in_audience: vop}}}",
            "there is no file `audiences/vop.yaml`; did you mean `vip`?",
        ),
    ],
)
def test_what_a_journey_says_wrongly_of_an_audience(old: str, new: str, expected: str) -> None:
    with pytest.raises(JourneyFaultsError) as raised:
        journey(changed(old, new))
    assert [expected] == [fault.message for fault in raised.value.faults]


def test_audiences_are_files_beside_the_journeys(tmp_path: Path) -> None:
    (tmp_path / "welcome.yaml").write_text(changed(TRIGGER, "{type: audience, audience: vip}", VALID))
    (tmp_path / "audiences").mkdir()
    (tmp_path / "audiences/vip.yaml").write_text(written("{in_audience: other}"))
    with pytest.raises(JourneyFaultsError) as raised:
        load_definitions(tmp_path)
    assert ["unknown audience `other`"] == [fault.message for fault in raised.value.faults]
    (tmp_path / "audiences/other.yaml").write_text(written("{in_audience: vip}").replace("where:", "were:"))
    with pytest.raises(JourneyFaultsError) as raised:
        load_definitions(tmp_path)
    assert {str(tmp_path / "audiences/other.yaml")} == {fault.file for fault in raised.value.faults}
    (tmp_path / "audiences/other.yaml").write_text(written("{in_audience: vip}").replace("id: vip", "id: other"))
    with pytest.raises(JourneyFaultsError) as raised:
        load_definitions(tmp_path)
    assert 2 == len(raised.value.faults)
    (tmp_path / "audiences/other.yaml").write_text(written("contact.vip == true").replace("id: vip", "id: other"))
    assert ["other", "vip"] == [audience.id for audience in load_definitions(tmp_path).audiences]
