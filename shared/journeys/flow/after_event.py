"""Whether a run can still send once some event has happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from shared.journeys.flow.graph import Edge, Flow
from shared.journeys.model import Branch, ExitIf, ExitOnEvent, WaitFor
from shared.journeys.predicate import All, Any, Condition, Not, Performed


def send_after(flow: Flow, event: str) -> tuple[str, ...] | None:
    """Return a way on which a message is sent after ``event``, with the event in it; None: there is none.

    The event may happen wherever a run stands, unless an exit rule ends the run at it.
    """
    if any(_ends(flow, number, event) for number in range(len(flow.journey.exits))):
        return None
    before = _ways(flow, (flow.first,), None)
    for step, way in before.items():
        if not flow.rests(step):
            continue
        found = _ways(flow, _next(flow, step, event), event)
        sending = next((to for to in found if flow.sends(to)), None)
        if sending is not None:
            return (*way, f"({event})", *found[sending])
    return None


def _ends(flow: Flow, number: int, event: str) -> bool:
    rule = flow.journey.exits[number]
    if isinstance(rule, ExitOnEvent):
        return rule.event == event and rule.where is None
    return isinstance(rule, ExitIf) and known_after(rule.condition, event, at_once=True) is True


def _next(flow: Flow, step: str, event: str) -> tuple[str, ...]:
    """Return where a run may be next that stands at ``step`` when ``event`` happens."""
    waiting = flow.steps[step]
    edges = flow.edges[step]
    if not isinstance(waiting, WaitFor):
        # A message that waits for its time is itself still to be sent.
        return (step,) if flow.sends(step) else tuple(edge.target for edge in edges)
    possible: list[Edge] = []
    for awaited, edge in zip(waiting.any, edges, strict=False):
        if awaited.event in (None, event):
            possible.append(edge)
        if awaited.event == event and awaited.where is None:
            return tuple(edge.target for edge in possible)
    return tuple(edge.target for edge in edges)


def _ways(flow: Flow, starts: Iterable[str], event: str | None) -> dict[str, tuple[str, ...]]:
    """Return every step that a run may come to from ``starts``, with a shortest way there.

    ``event``: it has happened since the run was entered, which decides branches that ask for it.
    """
    found: dict[str, tuple[str, ...]] = {start: (start,) for start in starts}
    waiting = deque(found)
    while waiting:
        step = waiting.popleft()
        for edge in _open(flow, step, event):
            if edge.target not in found:
                found[edge.target] = (*found[step], edge.target)
                waiting.append(edge.target)
    return found


def _open(flow: Flow, step: str, event: str | None) -> tuple[Edge, ...]:
    edges = flow.edges.get(step, ())
    branch = flow.steps.get(step)
    if event is None or not isinstance(branch, Branch):
        return edges
    possible: list[Edge] = []
    for case, edge in zip(branch.cases, edges, strict=False):
        holds = True if case.condition is None else known_after(case.condition, event, at_once=False)
        if holds is not False:
            possible.append(edge)
        if holds is True:
            return tuple(possible)
    return (*possible, *edges[len(branch.cases) :])


def known_after(condition: Condition, event: str, *, at_once: bool) -> bool | None:
    """Return what ``condition`` says of a run in which ``event`` has happened; None: that depends.

    ``at_once``: it is asked at the event itself, which no span of time has left behind yet.
    """
    match condition:
        case Performed():
            same = condition.event == event and condition.count == 1 and condition.where is None
            return True if same and (at_once or condition.within is None) else None
        case Not():
            inner = known_after(condition.of, event, at_once=at_once)
            return None if inner is None else not inner
        case All():
            parts = [known_after(part, event, at_once=at_once) for part in condition.of]
            return False if False in parts else (True if None not in parts else None)
        case Any():
            parts = [known_after(part, event, at_once=at_once) for part in condition.of]
            return True if True in parts else (False if None not in parts else None)
        case _:
            return None
