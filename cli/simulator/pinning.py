"""A journey in which a contact's holdout and variants are those that a test names, whatever their hashes say.

Works on the shape of the model alone: whatever has a ``salt`` and ``variants`` is an experiment.
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from cli.simulator.scenario import Contact, tagged
from shared.journeys.model import Journey


def has_holdout(journey: Journey) -> bool:
    """Tell whether ``journey`` holds contacts out; a step with a policy of its own has its journey's holdout."""
    return getattr(journey.policy, "holdout", None) is not None


def variants(journey: Journey) -> dict[str, list[str]]:
    """Return the ids of the variants of each experiment of ``journey``, by its salt."""
    experiments = [cast("Any", step) for step in tagged(journey.steps) if hasattr(step, "variants")]
    return {step.salt: [variant.id for variant in step.variants] for step in experiments}


def pinned(journey: Journey, contact: Contact) -> Journey:
    """Return ``journey`` as it is for ``contact``."""
    if contact.variants:
        journey = msgspec.structs.replace(journey, steps=_with_variants(journey.steps, contact.variants))
    if contact.holdout is not None and has_holdout(journey):
        policy: Any = journey.policy
        holdout = msgspec.structs.replace(policy.holdout, percent=100) if contact.holdout else None
        journey = msgspec.structs.replace(
            journey,
            policy=msgspec.structs.replace(policy, holdout=holdout),
            steps=_with_holdout(journey.steps, holdout),
        )
    return journey


def _with_holdout(value: Any, holdout: Any) -> Any:
    """Return ``value`` with ``holdout`` in the policy of each step that has one of its own."""
    match value:
        case tuple():
            return tuple(_with_holdout(item, holdout) for item in value)
        case msgspec.Struct():
            blocks = [name for name in value.__struct_fields__ if isinstance(getattr(value, name), tuple)]
            fields = {name: _with_holdout(getattr(value, name), holdout) for name in blocks}
            if (policy := getattr(value, "policy", None)) is not None:
                fields["policy"] = msgspec.structs.replace(policy, holdout=holdout)
            return msgspec.structs.replace(value, **fields) if fields else value
        case _:
            return value


def _with_variants(value: Any, chosen: dict[str, str]) -> Any:
    match value:
        case tuple():
            return tuple(_with_variants(item, chosen) for item in value)
        case msgspec.Struct():
            blocks = [name for name in value.__struct_fields__ if isinstance(getattr(value, name), tuple)]
            fields = {name: _with_variants(getattr(value, name), chosen) for name in blocks}
            if "variants" in fields and getattr(value, "salt", None) in chosen:
                wanted = chosen[cast("Any", value).salt]
                fields["variants"] = tuple(
                    msgspec.structs.replace(variant, weight=100 if variant.id == wanted else 0)
                    for variant in fields["variants"]
                )
            return msgspec.structs.replace(value, **fields) if fields else value
        case _:
            return value
