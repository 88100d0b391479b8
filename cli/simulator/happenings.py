"""The lines of ``events`` to arrivals, by the same rules as ingest's."""

from __future__ import annotations

from typing import Any

import msgspec

from cli.simulator.calls import call_to_event
from cli.simulator.engine import Arrival
from cli.simulator.times import read_time
from cli.simulator.values import identifier, mapping
from services.ingest.enrolments import to_enrolment
from services.ingest.errors import IngestError
from services.ingest.schemas import CONSENT_NAMES
from services.ingest.screening import Screen
from shared.ids import derived_id
from shared.journeys.faults import suggestion
from shared.journeys.ids import parse_id
from shared.journeys.reader import Node
from shared.messages.enrolment import ENROLMENT

STATUSES = tuple(CONSENT_NAMES)
TYPES = ("track", "identify", "page", "screen", ENROLMENT)
_KINDS = ("event", "type", "consent")
_KNOWN = ("at", "arrives", "id", *_KINDS, "properties", "traits", "historical")
_ENROLMENT = ("at", "arrives", "id", "type", "journey", "context")
_SYSTEM = {name: status for status, name in CONSENT_NAMES.items()}
"""Events that ingest makes of consent calls: a test may write them as events."""


class Happening(msgspec.Struct, frozen=True):
    """One call that the contact's browser makes: when, when it reaches us, and what it says."""

    at: int
    arrives: int
    call: dict[str, Any]


def read_event(node: Node, start: int, contact: str, number: int, screen: Screen | None = None) -> tuple[Arrival, ...]:
    """Return what line ``number`` of ``events`` lets arrive: one event, or one for each topic of a consent."""
    enrols = node.is_a(dict) and "type" in node.value and node.value["type"].value == ENROLMENT
    fields = node.fields(_ENROLMENT, ("at", "journey")) if enrols else node.fields(_KNOWN, ("at",))
    if "at" not in fields:
        return ()
    if not set(_KINDS) & fields.keys():
        if not node.value.keys() - set(_KNOWN):
            node.fault("expected `event`, `consent`, or `type: identify` with `traits`")
        return ()
    if "consent" in fields and {"event", "type"} & fields.keys():
        fields["consent"].fault("write `consent` as an event of its own")
        return ()
    at = read_time(fields["at"], start)
    arrives = read_time(fields["arrives"], start) if "arrives" in fields else at
    if arrives < at:
        fields["arrives"].fault("it arrives before it happens; `arrives` is `at` or later")
    message_id = identifier(fields["id"]) if "id" in fields else derived_id("test-event", str(number))
    if enrols:
        return _enrolment(node, fields, Happening(at, arrives, {"userId": contact, "messageId": message_id}))
    found = []
    historical = "historical" in fields and fields["historical"].boolean()
    for part, call in enumerate(_calls(node, fields)):
        own_id = message_id if part == 0 else f"{message_id}.{part}"
        said = {"messageId": own_id, "userId": contact, "historical": historical, **call}
        made = _arrival(node, Happening(at, arrives, said), screen)
        if made is not None:
            found.append(made)
    return tuple(found)


def consents(stated: dict[str, str]) -> list[dict[str, Any]]:
    """Return the consent call of each ``topic`` or ``topic/channel`` in ``stated``."""
    calls = []
    for place, status in stated.items():
        topic, _, channel = place.partition("/")
        calls.append({"type": "consent", "topic": topic, "channel": channel or None, "status": status})
    return calls


def read_consent(node: Node) -> dict[str, str]:
    """Return the status of each topic in ``node``."""
    return {topic: child.choice(STATUSES, "status") for topic, child in node.pairs()}


def arrival_of(happening: Happening, screen: Screen | None = None) -> Arrival | None:
    """Return the arrival of ``happening``. Raises IngestError for what ingest would refuse; None: it is nobody's."""
    # The call says no time, so ingest's rules for clocks that are wrong do not apply to it.
    event = call_to_event(happening.call, happening.arrives, "", screen)
    if event is None:
        return None
    return Arrival(happening.arrives, msgspec.structs.replace(event, timestamp=happening.at))


def _enrolment(node: Node, fields: dict[str, Node], happening: Happening) -> tuple[Arrival, ...]:
    """Return the one enrolment of the line, if ingest would take it."""
    journey = parse_id(fields["journey"]) if "journey" in fields else ""
    if not journey:
        return ()
    said = {"userId": happening.call["userId"], "context": mapping(fields["context"]) if "context" in fields else {}}
    try:
        wish = to_enrolment(said, journey, happening.call["messageId"], happening.arrives)
    except IngestError as error:
        node.fault(str(error))
        return ()
    return (Arrival(happening.arrives, msgspec.structs.replace(wish, timestamp=happening.at)),)


def _calls(node: Node, fields: dict[str, Node]) -> list[dict[str, Any]]:
    if "consent" in fields:
        return consents(read_consent(fields["consent"]))
    kind = fields["type"].choice(TYPES, "type") if "type" in fields else "track"
    if kind == "track" and "event" not in fields:
        node.fault("`event` is missing: what does the contact do?")
        return []
    if kind != "track" and "event" in fields:
        fields["event"].fault(f"`type: {kind}` has no `event`")
    if kind != "identify" and "traits" in fields:
        fields["traits"].fault("`traits` belong to `type: identify`")
    properties = mapping(fields["properties"]) if "properties" in fields else {}
    name = fields["event"].text() if "event" in fields else None
    if kind == "track" and name in _SYSTEM:
        if not isinstance(properties.get("topic"), str):
            node.fault(f"`{name}` needs `properties: {{topic: …}}`{suggestion('topic', properties)}")
            return []
        stated = {"topic": properties["topic"], "channel": properties.get("channel")}
        return [{"type": "consent", **stated, "status": _SYSTEM[name]}]
    traits = mapping(fields["traits"]) if "traits" in fields else {}
    return [{"type": kind, "event": name, "properties": properties, "traits": traits}]


def _arrival(node: Node, happening: Happening, screen: Screen | None) -> Arrival | None:
    try:
        return arrival_of(happening, screen)
    except IngestError as error:
        message = str(error)
        node.fault(message if error.detail == message else f"{message}: {error.detail}")
        return None
