"""A journey drawn: its steps, the ways between them and what ends it early, as a Mermaid flow chart.

https://mermaid.js.org/syntax/flowchart.html. Every step has the prefix ``s_``: ``end`` alone is a word of Mermaid's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from shared.journeys.flow.graph import END, flow_of
from shared.journeys.flow.phrases import Language
from shared.journeys.flow.sayings import DAYS, Sayings
from shared.journeys.model import (
    Branch,
    Call,
    Collect,
    Emit,
    Enrol,
    Exit,
    Experiment,
    Goto,
    Journey,
    Notify,
    Send,
    Step,
    Until,
    Update,
    Wait,
    WaitFor,
)

_SHAPES: dict[type, tuple[str, str]] = {
    Wait: ("{{", "}}"),
    WaitFor: ("{{", "}}"),
    Collect: ("{{", "}}"),
    Branch: ("{", "}"),
    Experiment: ("{", "}"),
    Send: ("[/", "/]"),
    Call: ("[[", "]]"),
    Notify: ("[[", "]]"),
    Exit: ("([", "])"),
}
_ENDS = {Wait: "past", Send: "send_failed", Call: "call_failed"}
"""As what a run ends that leaves such a step by its second way."""
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_PLAIN = ("[", "]")
_STADIUM = ("([", "])")


def draw(journey: Journey, language: Language = "en") -> str:
    """Return the Mermaid text of ``journey``, which has at least one step; it ends in a line feed."""
    lines = _lines(journey, Sayings(language))
    return "".join(f"{line}\n" for line in ("flowchart TD", *(f"  {line}" for line in lines)))


def _lines(journey: Journey, words: Sayings) -> Iterator[str]:
    flow = flow_of(journey)
    ends: dict[str, str] = {}
    for number, trigger in enumerate(journey.triggers, 1):
        yield _node(f"trigger_{number}", _STADIUM, words.trigger(trigger))
        yield _way(f"trigger_{number}", _name(flow.first), _entry(journey, words))
    for step in flow.steps.values():
        yield _node(_name(step.id), _SHAPES.get(type(step), _PLAIN), f"{step.id}\n{_does(step, words)}")
        if isinstance(step, Exit):
            continue
        for edge, label in zip(flow.edges[step.id], _ways(step, words), strict=True):
            target = _name(edge.target)
            if edge.target == END:
                reason = _ENDS.get(type(step), "completed") if label else "completed"
                target = f"end_{reason}"
                ends[target] = words.say("exit", reason)
            yield _way(_name(step.id), target, label)
    for name, said in ends.items():
        yield _node(name, _STADIUM, said)
    if journey.exits:
        yield _node("early", _STADIUM, "\n".join((words.say("exits"), *map(words.exit, journey.exits))))
        yield f'trigger_1 -. "{words.say("any_time")}" .-> early'


def _entry(journey: Journey, words: Sayings) -> str:
    where = journey.entry.where
    return "" if where is None else words.say("entry", words.condition(where))


def _does(step: Step, words: Sayings) -> str:  # noqa: PLR0911, PLR0912 - one case per verb
    match step:
        case Wait():
            said = _waits(step, words)
            return words.say("anew", said, words.listed(step.reset_by)) if step.reset_by else said
        case WaitFor():
            return words.say("wait_for")
        case Collect():
            return words.say("collect", step.event, words.duration(step.duration))
        case Branch():
            return words.say("branch")
        case Experiment():
            return words.say("experiment", step.salt)
        case Send():
            return words.say("send", words.listed(step.channels))
        case Update():
            return words.say("update")
        case Emit():
            return words.say("emit", step.event)
        case Call():
            return words.say("call", step.connector)
        case Notify():
            return words.say("notify", step.channel)
        case Enrol():
            return words.say("enrol", step.journey)
        case Goto():
            return words.say("goto", step.step)
        case Exit():
            return words.say("exit", step.reason)
        case _:
            assert_never(step)


def _ways(step: Step, words: Sayings) -> Iterator[str]:
    """Yield the label of each way from ``step``, in the order of the graph."""
    match step:
        case Branch():
            for case in step.cases:
                yield words.say("else") if case.condition is None else words.condition(case.condition)
            if all(case.condition is not None for case in step.cases):
                yield words.say("else")
        case WaitFor():
            for awaited in step.any:
                asked = awaited.condition
                yield words.event(awaited.event or "", awaited.where) if asked is None else words.condition(asked)
            if step.timeout is not None:
                yield words.say("timeout", words.duration(step.timeout))
        case Experiment():
            total = sum(variant.weight for variant in step.variants)
            yield from (f"{variant.id}: {100 * variant.weight / total:.3g}%" for variant in step.variants)
        case Wait():
            yield from ("", words.say("past")) if step.past == "exit" else ("",)
        case Send() | Call():
            yield from ("", words.say("failed")) if step.on_fail == "exit" else ("",)
        case Goto():
            yield from ("",) if step.max_visits is None else (words.say("at_most", step.max_visits), "")
        case _:
            yield ""


def _waits(step: Wait, words: Sayings) -> str:
    if step.until is not None:
        return words.say("wait_until", _until(step.until, words))
    return words.say("wait", step.span or words.duration(step.duration or 0))


def _until(until: Until, words: Sayings) -> str:
    days = words.listed(tuple(DAYS[day] for day in until.days))
    date = until.date if until.property is None else f"contact.{until.property}, {words.days(until.offset_days)}"
    return " ".join(part for part in (date, days, until.time) if part)


def _name(step: str) -> str:
    return f"s_{step}"


def _node(name: str, shape: tuple[str, str], text: str) -> str:
    return f'{name}{shape[0]}"{_quoted(text)}"{shape[1]}'


def _way(begin: str, end: str, label: str) -> str:
    return f'{begin} -->|"{_quoted(label)}"| {end}' if label else f"{begin} --> {end}"


def _quoted(text: str) -> str:
    """Return ``text`` as it may stand in a label: breaks between lines, and nothing that reads as a quote or a tag.

    Mermaid's own entities (``#gt;``) are no way out: in the labels of ways it shows them garbled (11.17).
    """
    return _TAG.sub("< ", text.replace('"', "'")).replace("\n", "<br/>")
