"""A journey's graph without its circles: each step as often as the gotos let a run come to it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from shared.journeys.flow.graph import END, Edge, Flow

MOST_STATES = 20_000
"""A loop of a hundred turns inside another, over two steps. Beyond it nothing is proved: that would take seconds."""


class State(NamedTuple):
    """A step, and how often each step that a goto counts was entered on the way to it."""

    step: str
    entered: tuple[int, ...]


class Unfolded(msgspec.Struct, frozen=True, kw_only=True):
    """The states that a run may be in, each behind all from which it is reached, and the ways from each."""

    flow: Flow
    states: tuple[State, ...]
    ways: dict[State, tuple[tuple[State, Edge], ...]]

    @property
    def first(self) -> State:
        """Where a run begins."""
        return self.states[0]


def unfold(flow: Flow) -> Unfolded | None:
    """Return ``flow`` unfolded; None when its loops turn too often. Each goto that goes back has ``max_visits``."""
    counted = _counted(flow)
    first = _enter(flow.first, (0,) * len(counted), counted)
    ways: dict[State, tuple[tuple[State, Edge], ...]] = {}
    left: list[State] = []
    waiting = [(first, False)]
    while waiting:
        state, done = waiting.pop()
        if done:
            left.append(state)
        elif state not in ways:
            if len(ways) == MOST_STATES:
                return None
            ways[state] = _ways(flow, state, counted)
            waiting.append((state, True))
            waiting += [(target, False) for target, _ in ways[state] if target not in ways]
    return Unfolded(flow=flow, states=tuple(reversed(left)), ways=ways)


def _counted(flow: Flow) -> dict[str, int]:
    """Return the steps whose entries some goto counts, and how far they are worth counting."""
    counted: dict[str, int] = {}
    for edges in flow.edges.values():
        for edge in edges:
            if edge.turns is not None:
                counted[edge.turns.step] = max(counted.get(edge.turns.step, 0), edge.turns.most)
    return counted


def _enter(step: str, entered: tuple[int, ...], counted: dict[str, int]) -> State:
    if step not in counted:
        return State(step, entered)
    return State(
        step, tuple(n + (n < most and name == step) for n, (name, most) in zip(entered, counted.items(), strict=True))
    )


def _ways(flow: Flow, state: State, counted: dict[str, int]) -> tuple[tuple[State, Edge], ...]:
    if state.step == END:
        return ()
    known = dict(zip(counted, state.entered, strict=True))
    return tuple(
        (_enter(edge.target, state.entered, counted), edge)
        for edge in flow.edges[state.step]
        if edge.turns is None or (known[edge.turns.step] < edge.turns.most) == edge.turns.fewer
    )
