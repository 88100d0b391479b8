"""A provider's feedback as calls of the tracking API: found back by the reference that went with the message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from shared.expressions import Expression
from shared.ids import derived_id
from shared.links.reference import Reference, resolve
from shared.links.seals import Seals

REFERENCE = "kikkake_reference"
"""What the reference is called among the data of ours that a provider brings back."""
UNKNOWN_REFERENCE = "unknown_reference"
"""The code under which feedback is counted that has no reference of ours: it is about nobody that we know."""


class Told(msgspec.Struct, frozen=True):
    """One thing that a provider tells of a message: the event ``name``, and when it happened as the provider says it.

    ``reference`` is what it says of which message, or a list of what may be it, the likeliest first. ``id`` is the
    provider's own for what it tells, the same when it is told again.
    """

    name: str
    reference: object
    id: str
    at: str | int | float | None
    properties: dict[str, Any] = {}


class Finder(msgspec.Struct, frozen=True):
    """Finds messages back by ``seals``; ``ignored`` is told the code of what is about none."""

    seals: Seals
    ignored: Callable[[str], None]

    def calls(self, source: str, told: Iterable[Told]) -> list[dict[str, Any]]:
        """Return the call that each makes which is about a message of ours; a repeat has the same messageId."""
        made = []
        for one in told:
            token, reference = self._found(one.reference)
            if reference is None:
                self.ignored(UNKNOWN_REFERENCE)
                continue
            kind, _, name = reference.contact.partition(":")
            found: dict[str, Any] = {"command_id": reference.command, "channel": reference.channel}
            found |= {"address_tag": reference.address_tag, **one.properties}
            made.append(
                {
                    "type": "track",
                    "event": one.name,
                    "userId" if kind == "u" else "anonymousId": name,
                    "messageId": derived_id("feedback", source, one.id, one.name, token),
                    "timestamp": one.at,
                    "properties": {key: value for key, value in found.items() if value is not None},
                }
            )
        return made

    def _found(self, said: object) -> tuple[str, Reference | None]:
        """Return the first of what is ``said`` to be a reference that is one, and what it refers to."""
        candidates: list[object] = said if isinstance(said, list) else [said]
        for token in candidates:
            if isinstance(token, str) and (reference := resolve(self.seals, token)) is not None:
                return token, reference
        return "", None


def owner_of(whose: Mapping[str, Expression], event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a call (``userId``, ``anonymousId``) that say whose ``event`` is, as the operator has it."""
    owner = {field: made.evaluate({"event": event, "context": {}, "now": 0}) for field, made in whose.items()}
    return {field: value for field, value in owner.items() if value is not None}
