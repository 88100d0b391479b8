"""``aggregate``, ``message``, ``online``, ``in_audience``: what is read, and what is refused with which words."""

from __future__ import annotations

import pytest

from shared.clock import DAY, MINUTE
from shared.journeys.parse import parse_journey
from shared.journeys.predicate import Aggregate, Condition, Expression, MessageWas, Online, Target
from shared.journeys.workspace import Surroundings
from tests.unit.shared.journeys.literals import VALID, changed, faults

TOTAL = Expression("event.properties.total")


def asked(condition: str) -> Condition | None:
    text = changed("{priority: 10}", f"{{where: {condition}}}")
    return parse_journey("journey.yaml", text, Surroundings(audiences=frozenset(["vip"]))).entry.where


def told(condition: str) -> list[str]:
    return [line.partition(": ")[2] for line in faults(changed("{priority: 10}", f"{{where: {condition}}}"))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{aggregate: {event: X, fn: count, is: ">= 3"}}',
            Aggregate(event="X", fn="count", target=Target(">=", 3)),
        ),
        (
            "{aggregate: {event: X, fn: avg, field: event.properties.total, within: 7d, is: '< 2', where: now > now}}",
            Aggregate(
                event="X",
                fn="avg",
                target=Target("<", 2),
                field=TOTAL,
                within=7 * DAY,
                where=Expression("now > now"),
            ),
        ),
        ("{message: {step: hello, was: opened}}", MessageWas(step="hello", was="opened")),
        ("{message: {step: hello, was: clicked, within: 1d}}", MessageWas(step="hello", was="clicked", within=DAY)),
        ("{online: {within: 2m}}", Online(within=2 * MINUTE)),
    ],
)
def test_each_condition_has_its_form(text: str, expected: Condition) -> None:
    assert expected == asked(text)


@pytest.mark.parametrize("fn", ["count", "sum", "distinct", "avg", "min", "max", "last"])
def test_every_function_is_read(fn: str) -> None:
    field = "" if fn == "count" else "field: event.properties.total, "
    found = asked(f'{{aggregate: {{event: X, fn: {fn}, {field}is: "== 0"}}}}')
    assert isinstance(found, Aggregate)
    assert fn == found.fn


@pytest.mark.parametrize("was", ["sent", "delivered", "opened", "clicked", "bounced", "converted"])
def test_every_end_of_a_message_is_read(was: str) -> None:
    assert MessageWas(step="hello", was=was) == asked(f"{{message: {{step: hello, was: {was}}}}}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{aggregate: {event: X}}", ["`fn` is missing", "`is` is missing"]),
        (
            '{aggregate: {event: X, fn: sum, is: "> 3"}}',
            ["`fn: sum` needs a `field`, such as event.properties.total"],
        ),
        (
            '{aggregate: {event: X, fn: count, field: event.properties.total, is: "> 3"}}',
            ["`fn: count` counts events; which ones, says `where`"],
        ),
        (
            '{aggregate: {event: X, fn: median, is: "> 3"}}',
            ["unknown fn `median`; did you mean `min`?"],
        ),
        ("{message: {step: hello}}", ["`was` is missing"]),
        (
            "{message: {step: hello, was: read}}",
            [
                "unknown was `read`; known: bounced, clicked, converted, delivered, opened, sent",
            ],
        ),
        (
            "{message: {step: helo, was: opened}}",
            ["unknown step that sends `helo`; did you mean `hello`?"],
        ),
        (
            "{message: {step: rest, was: opened}}",
            ["unknown step that sends `rest`; known: hello"],
        ),
        ("{online: {}}", ["`within` is missing"]),
        ("{in_audience: vip}", ["there is no file `audiences/vip.yaml`"]),
    ],
)
def test_a_fault_says_what_to_do(text: str, expected: list[str]) -> None:
    assert expected == told(text)


def test_a_name_that_nothing_has_is_found_where_it_stands() -> None:
    text = VALID.replace(
        "  - {id: end", "  - {id: way, branch: [{if: {not: {in_audience: vip}}, then: []}]}\n  - {id: end"
    )
    assert ["journey.yaml:10: there is no file `audiences/vip.yaml`"] == faults(text)
