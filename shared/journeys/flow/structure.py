"""Steps that no run comes to, and circles that one could go round without waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from shared.journeys.flow.graph import Flow
from shared.journeys.flow.measures import shown
from shared.journeys.flow.unfold import unfold
from shared.journeys.model import Exit, Goto, Step, blocks


def unreached(flow: Flow) -> Iterator[tuple[str, str]]:
    """Yield each step that no run comes to, and why; of several that follow from one another the first."""
    unfolded = unfold(flow)
    reached = _reach(flow, flow.first) if unfolded is None else {state.step for state in unfolded.states}
    for step in flow.steps:
        if step not in reached:
            yield step, _reason(flow, step)
            reached |= _reach(flow, step)


def _reach(flow: Flow, start: str) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for edge in flow.edges.get(waiting.pop(), ()):
            if edge.target not in found:
                found.add(edge.target)
                waiting.append(edge.target)
    return found


def _reason(flow: Flow, step: str) -> str:
    before = _sibling(flow.journey.steps, step)
    match before:
        case None:
            return "nothing leads to it"
        case Exit():
            return f"`{before.id}` before it exits"
        case Goto(max_visits=None):
            return f"`{before.id}` before it goes elsewhere"
        case Goto():
            return f"`{before.id}` before it goes elsewhere each time: `{before.step}` is never entered so often"
        case _:
            return f"no way through `{before.id}` before it leads on"


def _sibling(block: tuple[Step, ...], step: str) -> Step | None:
    """Return the step before ``step`` in its block."""
    for number, one in enumerate(block):
        if one.id == step:
            return block[number - 1] if number else None
        for inner in blocks(one):
            if found := _sibling(inner, step):
                return found
    return None


def restless(flow: Flow) -> Iterator[tuple[str, str]]:
    """Yield each goto that closes a circle which a run could go round without waiting, and the circle."""
    order = {step: number for number, step in enumerate(flow.steps)}
    for step in flow.steps.values():
        if (
            isinstance(step, Goto)
            and order[step.step] <= order[step.id]
            and (way := _at_once(flow, step.step, step.id))
        ):
            yield step.id, shown((*way, step.step))


def _at_once(flow: Flow, start: str, end: str) -> tuple[str, ...]:
    """Return a shortest way from ``start`` to ``end`` on which nothing pauses; empty when there is none."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = deque(ways)
    while waiting and end not in ways:
        step = waiting.popleft()
        for edge in flow.edges.get(step, ()):
            if not edge.pauses and edge.target not in ways:
                ways[edge.target] = (*ways[step], edge.target)
                waiting.append(edge.target)
    return ways.get(end, ())
