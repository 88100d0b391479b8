"""Rules over a whole journey that no single node can break by itself."""

from __future__ import annotations

from collections.abc import Mapping

from shared.journeys.model import Exit, Journey, Send
from shared.journeys.reader import Node


def check_journey(journey: Journey, root: Node, positions: Mapping[str, Node]) -> None:
    """Note a fault for each rule that ``journey`` breaks; ``positions`` has the node of each step and section."""
    if not journey.steps:
        positions["steps"].fault("a journey has at least one step")
    if not journey.triggers:
        root.fault("a journey has at least one trigger")
    if journey.policy.purpose == "marketing" and journey.policy.topic is None and _sends(journey):
        positions["policy"].fault("a marketing journey that sends names its consent `topic` in `policy`")
    for earlier, later in zip(journey.steps, journey.steps[1:], strict=False):
        if isinstance(earlier, Exit):
            positions[later.id].fault(f"step `{later.id}` is never reached: `{earlier.id}` before it exits")
    _unique("goal", [goal.id for goal in journey.goals], root)


def _sends(journey: Journey) -> bool:
    return any(isinstance(step, Send) for step in journey.steps)


def _unique(what: str, names: list[str], root: Node) -> None:
    for name in sorted({name for name in names if names.count(name) > 1}):
        root.fault(f"{what} id `{name}` is used twice")
