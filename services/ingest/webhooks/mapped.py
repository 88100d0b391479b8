"""The generic webhook: the calls that it makes are said in expressions over what was posted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.ingest.webhooks.base import Posted
from shared.expressions import Expression
from shared.messages.event import EventType

FIELDS = {
    "event": "event",
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "previous_id": "previousId",
    "group_id": "groupId",
    "message_id": "messageId",
    "timestamp": "timestamp",
    "topic": "topic",
    "status": "status",
    "channel": "channel",
}
"""What an expression may give, by the name of the call's field."""
MAPPINGS = ("properties", "traits")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One call for each request for which ``when`` holds. ``values`` and ``mappings`` are by the call's fields.

    Of a mapping each name has an expression of its own, or one expression gives them all.
    """

    type: EventType = "track"
    when: Expression | None = None
    values: Mapping[str, Expression] = {}
    mappings: Mapping[str, Expression | Mapping[str, Expression]] = {}


def read_mapped(rules: Sequence[Rule], posted: Posted) -> list[dict[str, Any]]:
    """Return the calls that ``posted`` makes: one for each rule that holds. What comes out as null is left out."""
    scope = {"event": posted.body, "context": {"headers": dict(posted.headers), "query": dict(posted.query)}, "now": 0}
    return [_call(rule, scope) for rule in rules if rule.when is None or rule.when.holds(scope)]


def _call(rule: Rule, scope: Mapping[str, Any]) -> dict[str, Any]:
    call: dict[str, Any] = {"type": rule.type}
    for name, expression in rule.values.items():
        if (value := _value(expression, scope)) is not None:
            call[name] = value
    for name, said in rule.mappings.items():
        if isinstance(said, Expression):
            call[name] = _value(said, scope)
        else:
            made = {key: _value(expression, scope) for key, expression in said.items()}
            call[name] = {key: value for key, value in made.items() if value is not None}
    return call


def _value(expression: Expression, scope: Mapping[str, Any]) -> Any:
    """Return the value as JSON has it: a time as text."""
    return msgspec.to_builtins(expression.evaluate(scope))
