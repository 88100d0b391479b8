"""Rules over a whole journey that no single node can break by itself."""

from __future__ import annotations

from collections.abc import Mapping

from shared.journeys.model import Exit, Journey, Send
from shared.journeys.reader import Node


def check_journey(journey: Journey, fields: Mapping[str, Node], steps: Mapping[str, Node]) -> None:
    """Note a fault for each rule that ``journey`` breaks; it holds what could be read of a file with faults.

    ``fields`` are the document's nodes by key, ``steps`` those of the steps by id.
    """
    for name, what in (("steps", "step"), ("triggers", "trigger")):
        if name in fields and fields[name].value == []:
            fields[name].fault(f"a journey has at least one {what}")
    _topic(journey, fields)
    for earlier, later in zip(journey.steps, journey.steps[1:], strict=False):
        if isinstance(earlier, Exit):
            steps[later.id].fault(f"step `{later.id}` is never reached: `{earlier.id}` before it exits")
    _unique_goals(journey, fields)
    _unique_triggers(journey, fields)


def _topic(journey: Journey, fields: Mapping[str, Node]) -> None:
    policy = fields.get("policy")
    known = {} if policy is None else policy.value
    if not isinstance(known, dict) or "topic" in known or not any(isinstance(step, Send) for step in journey.steps):
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
    events = [trigger.event for trigger in journey.triggers]
    for event in sorted({event for event in events if event and events.count(event) > 1}):
        fields["triggers"].fault(f"two triggers for `{event}`; join their `where` with `any`")
