"""The most sends, the least gap and the longest time of any run, each with the way that a run goes to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from shared.journeys.flow.graph import END, Edge
from shared.journeys.flow.unfold import State, Unfolded

MOST_LABELS = 50_000
"""Ways that are compared; far more than any journey of people has, and still within a second or two."""


class Way(NamedTuple):
    """A way to ``state``: the messages on it, the least ms that it takes, and the way before it."""

    state: State
    sends: int
    elapsed: int
    before: Way | None

    def steps(self) -> tuple[str, ...]:
        """Return its steps in order."""
        found: list[str] = []
        way: Way | None = self
        while way is not None:
            found.append(way.state.step)
            way = way.before
        return tuple(reversed(found))


class Longest(msgspec.Struct, frozen=True, kw_only=True):
    """The longest time of a run in ms. None: no bound is known, because of ``unbounded``, the last of ``steps``."""

    most: int | None
    steps: tuple[str, ...]


def in_time(elapsed: int, edge: Edge, exit_after: int | None) -> bool:
    """Tell whether a run that is ``elapsed`` ms old may still go ``edge`` to its end; an exit at that ms is first."""
    return exit_after is None or edge.least == 0 or elapsed + edge.least < exit_after


def most_sends(unfolded: Unfolded) -> Way | None:
    """Return the way with the most messages, which ends at the last of them; None when there are too many ways."""
    flow = unfolded.flow
    best = Way(unfolded.first, 0, 0, None)
    ways: dict[State, list[Way]] = {unfolded.first: [best]}
    count = 0
    for state in unfolded.states:
        for way in ways.pop(state, ()):
            count += 1
            if count > MOST_LABELS:
                return None
            sent = way._replace(sends=way.sends + flow.sends(state.step))
            best = max(best, sent, key=lambda found: found.sends)
            for target, edge in unfolded.ways[state]:
                if in_time(sent.elapsed, edge, flow.exit_after):
                    _add(ways.setdefault(target, []), Way(target, sent.sends, sent.elapsed + edge.least, sent))
    return best


def _add(ways: list[Way], way: Way) -> None:
    """Keep ``way`` unless one with as many messages is as quick, and drop those that it beats so."""
    if any(other.sends >= way.sends and other.elapsed <= way.elapsed for other in ways):
        return
    ways[:] = [other for other in ways if other.sends > way.sends or other.elapsed < way.elapsed]
    ways.append(way)


def least_gap(unfolded: Unfolded) -> Way | None:
    """Return the quickest way from one message to the next (``elapsed``); None when no run sends two.

    A skipped message takes no time, so that the gaps between those that remain are no smaller.
    """
    flow = unfolded.flow
    earliest: dict[State, int] = {unfolded.first: 0}
    since: dict[State, Way] = {}
    best: Way | None = None
    for state in unfolded.states:
        if state not in earliest:
            continue
        way = since.get(state)
        if flow.sends(state.step):
            if way is not None and (best is None or way.elapsed < best.elapsed):
                best = way
            way = Way(state, 1, 0, None)
        for target, edge in unfolded.ways[state]:
            if not in_time(earliest[state], edge, flow.exit_after):
                continue
            earliest[target] = min(earliest.get(target, earliest[state] + edge.least), earliest[state] + edge.least)
            if way is not None and (target not in since or way.elapsed + edge.least < since[target].elapsed):
                since[target] = Way(target, 1, way.elapsed + edge.least, way)
    return best


def longest(unfolded: Unfolded) -> Longest:
    """Return the way that takes longest, to the end of the run or to a step without a bound; exit rules aside."""
    reached: dict[State, tuple[int, Way]] = {unfolded.first: (0, Way(unfolded.first, 0, 0, None))}
    best = Longest(most=0, steps=())
    for state in unfolded.states:
        elapsed, way = reached.pop(state)
        endless = _endless(unfolded, state)
        if endless:
            return Longest(most=None, steps=way.steps())
        if state.step == END and elapsed >= (best.most or 0):
            best = Longest(most=elapsed, steps=way.steps())
        for target, edge in unfolded.ways[state]:
            total = elapsed + (edge.most or 0)
            if target not in reached or total > reached[target][0]:
                reached[target] = total, Way(target, 0, 0, way)
    return best


def _endless(unfolded: Unfolded, state: State) -> bool:
    return any(edge.most is None for _, edge in unfolded.ways[state])


def shown(steps: tuple[str, ...]) -> str:
    """Return the way as faults show it, without its middle when it is long."""
    ends = [step for step in steps if step != END]
    named: Iterator[str] | list[str] = ends if len(ends) <= _SHOWN else [*ends[: _SHOWN - 4], "…", *ends[-3:]]
    return " -> ".join(named)


_SHOWN = 12
