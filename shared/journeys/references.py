"""What one part of a journey names of another, or of what is around it: it must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from shared.expressions import compile_condition
from shared.journeys.faults import shown, suggestion
from shared.journeys.model import Awaited, Experiment, Journey, Send, WaitFor, all_steps
from shared.journeys.predicate import Expression, InAudience, MessageWas
from shared.journeys.reader import Node
from shared.journeys.walk import conditions_of, parts_of

_SINCE = "`since` asks `where` of each event when it happens, and knows no run then"
_OF_RUNS = ("context", "trigger", "journey")


def check_references(journey: Journey, root: Node, steps: Mapping[str, Node], audiences: Collection[str]) -> None:
    """Note a fault for each name that leads nowhere; ``steps`` are the nodes of the steps by id."""
    there = all_steps(journey.steps)
    goals = [goal.id for goal in journey.goals]
    ids = [step.id for step in there]
    for step in there:
        at = steps.get(step.id, root)
        if isinstance(step, Experiment) and step.winner is not None:
            _known(at, "goal", step.winner.goal, goals)
        if isinstance(step, WaitFor) and step.since not in ("step", "entry"):
            _known(at, "step", step.since, ids)
        if isinstance(step, WaitFor) and step.since != "step" and any(map(_asks_run, step.any)):
            at.fault(f"{_SINCE}: it cannot read {', '.join(_OF_RUNS)}")
    sends = [step.id for step in there if isinstance(step, Send)]
    asked = tuple(part for condition in conditions_of(journey) for part in parts_of(condition))
    for name in dict.fromkeys(part.step for part in asked if isinstance(part, MessageWas)):
        _known(root.place_of(name), "step that sends", name, sends)
    for name in dict.fromkeys(part.id for part in asked if isinstance(part, InAudience)):
        if name not in audiences:
            message = f"there is no file {shown(f'audiences/{name}.yaml')}{suggestion(name, audiences)}"
            root.place_of(name).fault(message)


def _asks_run(awaited: Awaited) -> bool:
    parts = () if awaited.where is None else parts_of(awaited.where)
    paths = (path for part in parts if isinstance(part, Expression) for path in compile_condition(part.text).paths)
    return any(path.partition(".")[0] in _OF_RUNS for path in paths)


def _known(at: Node, what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        at.fault(f"unknown {what} `{name}`{suggestion(name, known)}")
