"""Faults of a test file: each with its line and what its author should do, all in one run."""

from __future__ import annotations

import pytest

from cli.simulator.documents import read_tests
from shared.journeys.faults import Fault
from tests.builders import a_journey, lined

TEST = """\
schema: journey-test/v1
journey: cart@1
start: "2026-03-02T10:00:00+09:00"
contact: {id: c1}
scenarios:
  - name: one
    until: +1h
    events:
      - {at: +0m, event: Product Added}
    expect:
      - {never: {send: any}}
"""


def faults_of(text: str) -> list[str]:
    faults: list[Fault] = []
    read_tests("cart.test.yaml", text, [a_journey()], faults)
    return [lined(fault).removeprefix("cart.test.yaml:") for fault in sorted(faults)]


def test_the_example_has_none() -> None:
    assert [] == faults_of(TEST)


@pytest.mark.parametrize("journey", ["cart", "cart@1"])
def test_a_journey_is_named_with_or_without_its_version(journey: str) -> None:
    assert [] == faults_of(TEST.replace("cart@1", journey))


EVENT = "{at: +0m, event: Product Added}"
CLAIM = "{never: {send: any}}"
ONE_OF = "a claim has exactly one of send, exit, skip, not_entered, never, count, call, emit, trait"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("journey-test/v1", "journey-test/v2", "1: unknown schema `journey-test/v2`; did you mean `journey-test/v1`?"),
        ("cart@1", "carts@1", "2: there is no journey `carts` beside this file; did you mean `cart`?"),
        ("cart@1", "cart@9", "2: there is no version `9` of `cart` beside this file; known: cart@1"),
        ('"2026-03-02T10:00:00+09:00"', "yesterday", "3: `yesterday` is not a time; write"),
        ('"2026-03-02T10:00:00+09:00"', "2026-03-02T10:00:00", "3: `2026-03-02T10:00:00` has no zone; add one"),
        ('start: "2026-03-02T10:00:00+09:00"\n', "", "5: `start` is missing, here and at the top of the file"),
        ("{id: c1}", "{ids: c1}", "4: unknown key `ids`; did you mean `id`?"),
        ("{id: c1}", "{consent: {a: yes}}", "4: unknown status `yes`; known: granted, revoked"),
        ("{id: c1}", "{holdout: true}", "4: the journey's policy has no `holdout`"),
        ("{id: c1}", "{holdout: no}", "4: expected true or false, not `no`"),
        ("{id: c1}", "{variants: {s: a}}", "4: the journey has no experiment with the salt `s`"),
        ("    until: +1h\n", "    until: 1h\n", "7: `1h` is not a time; write"),
        ("until", "untl", "7: unknown key `untl`; did you mean `until`?"),
        ("name: one", "name: ''", "6: expected a text that is not empty"),
        (EVENT, "{event: Product Added}", "9: `at` is missing"),
        (EVENT, "{at: 5, event: Product Added}", "9: `5` is not a time; write"),
        (EVENT, "{at: +0m}", "9: expected `event`, `consent`, or `type: identify` with `traits`"),
        (EVENT, "{at: +0m, evnt: a}", "9: unknown key `evnt`; did you mean `event`?"),
        (EVENT, "{at: +0m, event: ''}", "9: expected a text that is not empty"),
        (EVENT, "{at: +0m, event: a, consent: {b: granted}}", "9: write `consent` as an event of its own"),
        (EVENT, "{at: +0m, type: track}", "9: `event` is missing: what does the contact do?"),
        (EVENT, "{at: +0m, type: identify, event: a}", "9: `type: identify` has no `event`"),
        (EVENT, "{at: +0m, type: alias}", "9: unknown type `alias`; known: enrolment, identify, page, screen, track"),
        (EVENT, "{at: +0m, event: a, traits: {}}", "9: `traits` belong to `type: identify`"),
        (EVENT, "{at: +0m, event: a, properties: 5}", "9: expected a mapping (lines of `key: value`), not `5`"),
        (EVENT, "{at: +2m, arrives: +1m, event: a}", "9: it arrives before it happens"),
        (EVENT, "{at: +1h1s, event: a}", "9: it arrives after `until`, where the clock stops"),
        (EVENT, "{at: +0m, event: Consent Granted}", "9: `Consent Granted` needs `properties: {topic: …}`"),
        (EVENT, "{at: +0m, answer: crm}", "9: an answer has either `data` or an `error`"),
        (EVENT, "{at: +0m, type: enrolment}", "9: `journey` is missing"),
        (EVENT, "{at: +0m, type: enrolment, journey: a, event: b}", "9: unknown key `event`"),
        (EVENT, f"{{at: +0m, event: {'a' * 201}}}", "9: the event's name is longer than 200"),
        (EVENT, "5", "9: expected a mapping (lines of `key: value`), not `5`"),
        (f"- {EVENT}", "5", "8: expected a list, not `5`"),
        (CLAIM, "{sends: remind_1}", f"11: {ONE_OF}; did you mean `send`?"),
        (CLAIM, "{send: remind_1, exit: a}", "11: a claim has exactly one of"),
        (CLAIM, "{}", "11: a claim has exactly one of"),
        (CLAIM, "send", "11: expected a mapping"),
        (CLAIM, "{send: remind1}", "11: the journey has no step `remind1`; did you mean `remind_1`?"),
        (CLAIM, "{send: remind_1, chanel: sms}", "11: unknown key `chanel`; did you mean `channel`?"),
        (CLAIM, "{send: remind_1, channel: fax}", "11: unknown channel `fax`"),
        (CLAIM, "{send: remind_1, render: {has: a}}", "11: `contains` is missing"),
        (CLAIM, "{send: remind_1, at: 45m}", "11: `45m` is not a time"),
        (CLAIM, "{skip: remind_1}", "11: `reason` is missing"),
        (CLAIM, "{exit: a, regret: remind_1}", "11: expected a list, not `remind_1`"),
        (CLAIM, "{never: {}}", "11: `send` is missing"),
        (CLAIM, "{count: {send: any}, equals: many}", "11: expected a whole number from 0 to 1000000, not `many`"),
        (CLAIM, "{trait: a}", "11: `is` is missing"),
        (f"- {CLAIM}", "[]", "10: expected at least one claim: a scenario without one tests nothing"),
    ],
)  # fmt: skip
def test_a_slip_is_named_at_its_line(before: str, after: str, expected: str) -> None:
    assert before in TEST
    found = faults_of(TEST.replace(before, after, 1))
    assert any(fault.startswith(expected) for fault in found), found


def test_a_file_without_scenarios_tests_nothing() -> None:
    assert ["5: expected at least one scenario"] == faults_of(TEST[: TEST.index("scenarios")] + "scenarios: []\n")
    assert ["1: `scenarios` is missing"] == faults_of(TEST[: TEST.index("scenarios")])


def test_what_is_no_document_is_a_fault() -> None:
    assert ["1: the file is empty; it starts with `schema:`"] == faults_of("")
    assert ["1: expected a mapping (lines of `key: value`), not a list"] == faults_of("- a\n")[:1]
    assert 1 == len(faults_of("a: [\n"))
