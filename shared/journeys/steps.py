"""Parses blocks of steps: the table of verbs."""

from __future__ import annotations

from collections.abc import Callable

from shared.journeys.acts import parse_call, parse_emit, parse_enrol, parse_notify, parse_send, parse_update
from shared.journeys.faults import shown
from shared.journeys.ids import parse_id
from shared.journeys.model import Step
from shared.journeys.policy import Given
from shared.journeys.reader import Node
from shared.journeys.reading import Reading
from shared.journeys.waits import parse_collect, parse_wait, parse_wait_for
from shared.journeys.ways import parse_branch, parse_exit, parse_experiment, parse_goto
from shared.journeys.workspace import Surroundings


def parse_steps(node: Node, around: Surroundings, policy: Given, positions: dict[str, Node]) -> tuple[Step, ...]:
    """Return the steps of a journey; where each stands is noted in ``positions``."""
    return Reading(around, policy, positions, _step).steps(node)


def _step(node: Node, reading: Reading) -> Step | None:
    fields = node.fields(("id", *_VERBS), required=("id",))
    verbs = [verb for verb in _VERBS if verb in fields]
    name = parse_id(fields["id"]) if "id" in fields else ""
    if name and name in reading.positions:
        fields["id"].fault(f"step id {shown(name)} is used twice")
    reading.positions.setdefault(name, node)
    if len(verbs) != 1:
        # An unknown word was probably meant to be the verb.
        if node.is_a(dict) and (verbs or not node.value.keys() - {"id"}):
            node.fault(f"a step has exactly one verb of {', '.join(_VERBS)}")
        return None
    return _VERBS[verbs[0]](name, fields[verbs[0]], reading)


_VERBS: dict[str, Callable[[str, Node, Reading], Step | None]] = {
    "wait": parse_wait,
    "wait_for": parse_wait_for,
    "branch": parse_branch,
    "experiment": parse_experiment,
    "send": parse_send,
    "update": parse_update,
    "emit": parse_emit,
    "call": parse_call,
    "notify": parse_notify,
    "enrol": parse_enrol,
    "collect": parse_collect,
    "goto": parse_goto,
    "exit": parse_exit,
}
