"""What reading steps needs besides the node."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared.journeys.model import Step
from shared.journeys.policy import Given
from shared.journeys.reader import Node
from shared.journeys.workspace import Surroundings


class Reading(msgspec.Struct, frozen=True):
    """What steps may name, what their journey says of its policy, where each step stands, and how one is parsed."""

    around: Surroundings
    policy: Given
    positions: dict[str, Node]
    step: Callable[[Node, Reading], Step | None]

    def steps(self, node: Node) -> tuple[Step, ...]:
        """Return a block of steps."""
        return node.each(lambda item: self.step(item, self))

    def block(self, fields: dict[str, Node], name: str) -> tuple[Step, ...]:
        """Return the block of steps in the field ``name``; no steps when there is none."""
        return self.steps(fields[name]) if name in fields else ()
