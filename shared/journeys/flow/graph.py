"""A journey's steps as a graph: where a run may go from each, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, assert_never

import msgspec

from shared.journeys.flow.times import span_length, until_longest
from shared.journeys.model import (
    Branch,
    Call,
    Collect,
    Emit,
    Enrol,
    Exit,
    ExitAfter,
    Experiment,
    Goto,
    Journey,
    Notify,
    Send,
    Step,
    Update,
    Wait,
    WaitFor,
    all_steps,
    blocks,
)
from shared.journeys.sending import Policy

END = "(end)"
"""Where every run comes to; no step has such an id."""


class Turns(NamedTuple):
    """A way that a goto goes while ``step`` was entered ``fewer`` than ``most`` times, or else once it was not."""

    step: str
    most: int
    fewer: bool


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A way from a step to the next, which takes from ``least`` to ``most`` ms (None: no bound is known).

    ``pauses``: a run goes it only after some time or with a new event, never twice at one moment.
    """

    target: str
    least: int = 0
    most: int | None = 0
    pauses: bool = False
    turns: Turns | None = None


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A journey's steps by id and the ways from each, in the order of the file. Times are ms.

    ``exit_after``: when every run is over, by an exit rule; None: no rule says so.
    """

    journey: Journey
    steps: dict[str, Step]
    edges: dict[str, tuple[Edge, ...]]
    first: str
    exit_after: int | None

    def sends(self, step: str) -> int:
        """Return how many messages ``step`` sends at most, each time that it is entered."""
        found = self.steps.get(step)
        if not isinstance(found, Send):
            return 0
        return len(found.channels) if found.mode == "all" else 1

    def policy(self, step: Send) -> Policy:
        """Return the policy that counts for ``step``."""
        return self.journey.policy if step.policy is None else step.policy

    def rests(self, step: str) -> bool:
        """Tell whether a run may stand at ``step`` while events happen."""
        found = self.steps.get(step)
        if isinstance(found, Send):
            return bool(tuple(defers(self.policy(found))))
        return isinstance(found, Wait | WaitFor | Call | Collect)


def flow_of(journey: Journey) -> Flow:
    """Return the graph of ``journey``, which has at least one step."""
    following: dict[str, str] = {}
    _link(journey.steps, END, following)
    steps = {step.id: step for step in all_steps(journey.steps)}
    return Flow(
        journey=journey,
        steps=steps,
        edges={step.id: tuple(_edges(step, following[step.id], journey.policy)) for step in steps.values()},
        first=journey.steps[0].id,
        exit_after=min((rule.after for rule in journey.exits if isinstance(rule, ExitAfter)), default=None),
    )


def defers(policy: Policy) -> Iterator[int | None]:
    """Yield, for each rule of ``policy`` that may put a message off, by how much at most (None: no bound is known)."""
    if policy.purpose != "marketing":
        return
    yield from (cap.max_defer for cap in policy.caps if cap.when_capped == "defer")
    if policy.quiet_hours is not None and policy.quiet_hours.when_quiet == "defer":
        yield policy.quiet_hours.max_defer
    if policy.send_window is not None and policy.send_window.when_outside == "defer":
        yield policy.send_window.max_defer


def _link(block: tuple[Step, ...], after: str, following: dict[str, str]) -> None:
    """Note what follows each step: its next sibling, and behind the last one what follows the block."""
    for step, behind in zip(block, (*(later.id for later in block[1:]), after), strict=False):
        following[step.id] = behind
        for inner in blocks(step):
            _link(inner, behind, following)


def _edges(step: Step, behind: str, policy: Policy) -> Iterator[Edge]:  # noqa: C901, PLR0912 - one case per verb
    match step:
        case Wait():
            yield _waited(step, behind)
            if step.past == "exit":
                yield Edge(target=END)
        case WaitFor():
            yield from _awaited(step, behind)
        case Branch():
            yield from (Edge(target=_into(case.then, behind)) for case in step.cases)
            if all(case.condition is not None for case in step.cases):
                yield Edge(target=behind)
        case Experiment():
            yield from (Edge(target=_into(variant.then, behind)) for variant in step.variants)
        case Send():
            yield Edge(target=behind, most=_deferred(step, step.policy or policy))
            if step.on_fail == "exit":
                yield Edge(target=END)
        case Call():
            yield Edge(target=behind, most=step.timeout)
            if step.on_fail == "exit":
                yield Edge(target=END, most=step.timeout)
        case Collect():
            # With one event enough, the one that started the run may be it, each time anew.
            yield Edge(target=behind, most=step.duration, pauses=step.most > 1)
        case Update() | Emit() | Notify() | Enrol():
            yield Edge(target=behind)
        case Goto():
            yield from _went(step, behind)
        case Exit():
            yield Edge(target=END)
        case _:
            assert_never(step)


def _went(step: Goto, behind: str) -> Iterator[Edge]:
    if step.max_visits is None:
        yield Edge(target=step.step)
    else:
        yield Edge(target=step.step, turns=Turns(step.step, step.max_visits, fewer=True))
        yield Edge(target=behind, turns=Turns(step.step, step.max_visits, fewer=False))


def _into(block: tuple[Step, ...], behind: str) -> str:
    return block[0].id if block else behind


def _waited(step: Wait, behind: str) -> Edge:
    least, most = 0, None
    if step.duration is not None:
        least, most = step.duration, step.duration
    elif step.span is not None:
        least, most = span_length(step.span)
    elif step.until is not None:
        most = until_longest(step.until)
    longest = None if most is None or step.reset_by else most + max(0, step.jitter - 1)
    return Edge(target=behind, least=least, most=longest, pauses=least > 0)


def _awaited(step: WaitFor, behind: str) -> Iterator[Edge]:
    """One way for each of ``any``, in their order, then the timeout's."""
    for awaited in step.any:
        # A condition may hold already, and so may what counts from before; else an event is a new one each time.
        new = awaited.event is not None and step.since == "step"
        yield Edge(target=_into(awaited.then, behind), most=step.timeout, pauses=new)
    if step.timeout is not None:
        target = _into(step.timeout_then, behind)
        yield Edge(target=target, least=step.timeout, most=step.timeout, pauses=step.timeout > 0)


def _deferred(step: Send, policy: Policy) -> int | None:
    """Return how long a message may be put off; the run stays at its step until it is decided."""
    bounds = list(defers(policy))
    known = [bound for bound in bounds if bound is not None]
    longest = max(known, default=0) if len(known) == len(bounds) else None
    if step.expires is not None and bounds:
        return step.expires if longest is None else min(step.expires, longest)
    return longest
