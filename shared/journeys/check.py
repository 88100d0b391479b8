"""Rules over a whole journey that no single node can break by itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from shared.journeys.faults import suggestion
from shared.journeys.model import (
    EventTrigger,
    Exit,
    Goto,
    Journey,
    Send,
    Step,
    ThresholdTrigger,
    Wait,
    WaitFor,
    all_steps,
    blocks,
)
from shared.journeys.reader import Node


def check_journey(journey: Journey, fields: Mapping[str, Node], steps: Mapping[str, Node]) -> None:
    """Note a fault for each rule that ``journey`` breaks; it holds what could be read of a file with faults.

    ``fields`` are the document's nodes by key, ``steps`` those of the steps by id.
    """
    for name, what in (("steps", "step"), ("triggers", "trigger")):
        if name in fields and fields[name].value == []:
            fields[name].fault(f"a journey has at least one {what}")
    _topic(journey, fields)
    if len(steps) == len(all_steps(journey.steps)):  # of two steps with one id it would blame the wrong one
        _unreachable(journey.steps, steps)
    _gotos(journey, steps)
    _unique_goals(journey, fields)
    _unique_triggers(journey, fields)
    _migrations(journey, fields)


def _unreachable(block: tuple[Step, ...], positions: Mapping[str, Node]) -> None:
    for earlier, later in pairwise(block):
        if isinstance(earlier, Exit) or (isinstance(earlier, Goto) and earlier.max_visits is None):
            gone = "exits" if isinstance(earlier, Exit) else "goes elsewhere"
            positions[later.id].fault(f"step `{later.id}` is never reached: `{earlier.id}` before it {gone}")
    for step in block:
        for inner in blocks(step):
            _unreachable(inner, positions)


def _gotos(journey: Journey, positions: Mapping[str, Node]) -> None:
    """A goto names a step; one that goes back says how often, and passes a wait on its way."""
    order = {step.id: number for number, step in enumerate(all_steps(journey.steps))}
    by_id = {step.id: step for step in all_steps(journey.steps)}
    for step in by_id.values():
        if not isinstance(step, Goto):
            continue
        at = positions[step.id]
        if step.step not in order:
            at.fault(f"unknown step `{step.step}`{suggestion(step.step, order)}")
        elif order[step.step] <= order[step.id]:
            if step.max_visits is None:
                at.fault("a goto that goes back says how often: `max_visits`")
            between = [by_id[name] for name, number in order.items() if order[step.step] <= number <= order[step.id]]
            if not any(isinstance(passed, Wait | WaitFor) for passed in between):
                at.fault(f"the loop from `{step.step}` to `{step.id}` has no wait in it")


def _topic(journey: Journey, fields: Mapping[str, Node]) -> None:
    policy = fields.get("policy")
    known = {} if policy is None else policy.value
    if (
        not isinstance(known, dict)
        or "topic" in known
        or not any(isinstance(step, Send) for step in all_steps(journey.steps))
    ):
        return
    if "purpose" not in known or known["purpose"].value == "marketing":
        at = policy or fields["steps"]
        at.fault("a marketing journey that sends names its consent `topic` in `policy`")


def _unique_goals(journey: Journey, fields: Mapping[str, Node]) -> None:
    names = [goal.id for goal in journey.goals]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        fields["goals"].fault(f"goal id `{name}` is used twice")


def _unique_triggers(journey: Journey, fields: Mapping[str, Node]) -> None:
    """One event starts one run; with two triggers for it, the second would always find the first one's run."""
    events = [trigger.event for trigger in journey.triggers if isinstance(trigger, EventTrigger | ThresholdTrigger)]
    for event in sorted({event for event in events if event and events.count(event) > 1}):
        fields["triggers"].fault(f"two triggers for `{event}`; join their `where` with `any`")


def _migrations(journey: Journey, fields: Mapping[str, Node]) -> None:
    """Runs come from older versions, and each mapped step leads to one of this version."""
    known = {step.id for step in all_steps(journey.steps)}
    for migration in journey.in_flight.migrate:
        if journey.version and migration.source >= journey.version:
            message = f"runs migrate from an older version than this one ({journey.version}), not {migration.source}"
            fields["in_flight"].place_of("from").fault(message)
        for old, new in migration.map.items():
            if new and new not in known:
                fields["in_flight"].place_of(old).fault(
                    f"`{old}` is mapped to an unknown step `{new}`{suggestion(new, known)}"
                )
