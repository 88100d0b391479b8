"""Rules over a whole journey that no single node can break by itself."""

from __future__ import annotations

from collections.abc import Mapping

from shared.journeys.faults import suggestion
from shared.journeys.flow.graph import flow_of
from shared.journeys.flow.proofs import study, verdicts
from shared.journeys.flow.structure import restless, unreached
from shared.journeys.model import (
    AudienceTrigger,
    EventTrigger,
    Goto,
    Journey,
    Send,
    ThresholdTrigger,
    all_steps,
)
from shared.journeys.reader import Node
from shared.journeys.sending import Policy


def check_journey(journey: Journey, fields: Mapping[str, Node], steps: Mapping[str, Node]) -> None:
    """Note a fault for each rule that ``journey`` breaks; it holds what could be read of a file with faults.

    ``fields`` are the document's nodes by key, ``steps`` those of the steps by id.
    """
    for name, what in (("steps", "step"), ("triggers", "trigger")):
        if name in fields and fields[name].value == []:
            fields[name].fault(f"a journey has at least one {what}")
    if _gotos(journey, steps) and journey.steps and not _broken(fields):
        _ways(journey, fields, steps)
    _topic(journey, fields, steps)
    _unique_goals(journey, fields)
    _unique_triggers(journey, fields)
    _backfill(journey, fields)
    _migrations(journey, fields)


def _broken(fields: Mapping[str, Node]) -> bool:
    """Tell whether a step has a fault of its own: what is thought to follow from it would blame others."""
    start = fields["steps"].line
    end = min((node.line for node in fields.values() if node.line > start), default=None)
    return any(fault.line >= start and (end is None or fault.line < end) for fault in fields["steps"].faults)


def _ways(journey: Journey, fields: Mapping[str, Node], positions: Mapping[str, Node]) -> None:
    """Each step is reached, no circle can be gone round at once, and what is promised holds."""
    flow = flow_of(journey)
    for step, why in unreached(flow):
        positions[step].fault(f"step `{step}` is never reached: {why}")
    for step, circle in restless(flow):
        positions[step].fault(f"the loop {circle} has no wait in it; give it a `wait` with `for`")
    if journey.invariants and not fields["steps"].faults:
        for number, verdict in enumerate(verdicts(study(journey))):
            if verdict.status == "refuted":
                [(name, at)] = fields["invariants"].value[number].value.items()
                at.fault(f"`{name}` does not hold: {verdict.because}")


def _gotos(journey: Journey, positions: Mapping[str, Node]) -> bool:
    """A goto names a step, and one that goes back says how often. True: all do."""
    order = {step.id: number for number, step in enumerate(all_steps(journey.steps))}
    good = True
    for step in all_steps(journey.steps):
        if not isinstance(step, Goto):
            continue
        if step.step not in order:
            positions[step.id].fault(f"unknown step `{step.step}`{suggestion(step.step, order)}")
            good = False
        elif order[step.step] <= order[step.id] and step.max_visits is None:
            positions[step.id].fault("a goto that goes back says how often: `max_visits`")
    return good


def _topic(journey: Journey, fields: Mapping[str, Node], steps: Mapping[str, Node]) -> None:
    """What is sent as marketing has a topic: its step's or its journey's."""
    policy = fields.get("policy")
    if policy is not None and not policy.is_a(dict):
        return
    sends = [step for step in all_steps(journey.steps) if isinstance(step, Send)]
    purpose = None if policy is None else policy.value.get("purpose")
    marketing = purpose is None or purpose.value == "marketing"  # anything else that is wrong is a fault by itself
    if marketing and any(step.policy is None and _lacks_topic(journey.policy) for step in sends):
        at = policy or fields["steps"]
        at.fault("a marketing journey that sends names its consent `topic` in `policy`")
    for step in sends:
        if step.policy is not None and _lacks_topic(step.policy):
            steps[step.id].fault(f"`{step.id}` sends marketing and names no consent `topic`")


def _lacks_topic(policy: Policy) -> bool:
    return policy.purpose == "marketing" and policy.topic is None


def _unique_goals(journey: Journey, fields: Mapping[str, Node]) -> None:
    names = [goal.id for goal in journey.goals]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        fields["goals"].fault(f"goal id `{name}` is used twice")


def _unique_triggers(journey: Journey, fields: Mapping[str, Node]) -> None:
    """One event starts one run; with two triggers for it, the second would always find the first one's run."""
    events = [trigger.event for trigger in journey.triggers if isinstance(trigger, EventTrigger | ThresholdTrigger)]
    for event in sorted({event for event in events if event and events.count(event) > 1}):
        fields["triggers"].fault(f"two triggers for `{event}`; join their `where` with `any`")


def _backfill(journey: Journey, fields: Mapping[str, Node]) -> None:
    """Only who comes into an audience can be in it already."""
    entered = any(isinstance(trigger, AudienceTrigger) and trigger.edge == "entered" for trigger in journey.triggers)
    if journey.entry.backfill == "current" and journey.triggers and not entered:
        fields["entry"].fault("`backfill: current` needs a trigger of `type: audience` with `edge: entered`")


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
