"""A test file (``*.test.yaml``) to scenarios. Every fault of the file is found in one run, each with its line."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cli.simulator.answers import is_answer, read_answer
from cli.simulator.claims_reader import Frame, read_claim
from cli.simulator.engine import Arrival
from cli.simulator.happenings import read_consent, read_event
from cli.simulator.pinning import has_holdout, pinned, variants
from cli.simulator.scenario import Contact, Scenario, step_ids
from cli.simulator.times import read_time
from cli.simulator.values import identifier, mapping
from services.ingest.screening import Screen
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, shown, suggestion
from shared.journeys.model import Journey
from shared.journeys.reader import Node

SCHEMA = "journey-test/v1"
_TOP = ("schema", "journey", "start", "contact", "until", "scenarios")
_SCENARIO = ("name", "start", "contact", "until", "events", "expect")
_CONTACT = ("id", "traits", "consent", "holdout", "variants", "locale")


class _Defaults(msgspec.Struct, frozen=True):
    """What a scenario takes from the file where it says nothing itself."""

    file: str
    journey: Journey
    start: int | None
    contact: Contact
    until: Node | None
    screen: Screen | None


def read_tests(
    file: str, text: str, journeys: Sequence[Journey], faults: list[Fault], screen: Screen | None = None
) -> list[Scenario]:
    """Return the scenarios of ``text``, a test of one of ``journeys``; what is wrong with it goes to ``faults``.

    Events pass the ``screen`` of the workspace; None: that of everybody.
    """
    root = read_document(file, text, faults)
    if root is None:
        return []
    fields = root.fields(_TOP, ("schema", "journey", "scenarios"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    journey = _journey(fields["journey"], journeys) if "journey" in fields else None
    if journey is None or "scenarios" not in fields:
        return []
    defaults = _Defaults(
        file=file,
        journey=journey,
        start=read_time(fields["start"], None) if "start" in fields else None,
        contact=_contact(fields["contact"], journey) if "contact" in fields else Contact(),
        until=fields.get("until"),
        screen=screen,
    )
    if fields["scenarios"].value == []:
        fields["scenarios"].fault("expected at least one scenario")
    return list(fields["scenarios"].each(lambda node: _scenario(node, defaults)))


def _journey(node: Node, journeys: Sequence[Journey]) -> Journey | None:
    text = node.text()
    if not text:
        return None
    name, _, version = text.partition("@")
    found = sorted((journey for journey in journeys if journey.id == name), key=lambda journey: journey.version)
    if not found:
        node.fault(f"there is no journey {shown(name)} beside this file{suggestion(name, {j.id for j in journeys})}")
        return None
    if not version:
        return found[-1]
    chosen = [journey for journey in found if str(journey.version) == version]
    if not chosen:
        known = ", ".join(f"{journey.id}@{journey.version}" for journey in found)
        node.fault(f"there is no version {shown(version)} of {shown(name)} beside this file; known: {known}")
        return None
    return chosen[0]


def _scenario(node: Node, defaults: _Defaults) -> Scenario | None:
    fields = node.fields(_SCENARIO, ("name", "expect"))
    if "name" not in fields or "expect" not in fields:
        return None
    start = read_time(fields["start"], None) if "start" in fields else defaults.start
    if start is None:
        node.fault("`start` is missing, here and at the top of the file: what do the times count from?")
        return None
    contact = _contact(fields["contact"], defaults.journey) if "contact" in fields else defaults.contact
    until_node = fields.get("until", defaults.until)
    until = None if until_node is None else read_time(until_node, start)
    if fields["expect"].value == []:
        fields["expect"].fault("expected at least one claim: a scenario without one tests nothing")
    events = fields["events"].items() if "events" in fields else []
    frame = Frame(start, step_ids(defaults.journey))
    return Scenario(
        file=defaults.file,
        name=fields["name"].text(),
        journey=pinned(defaults.journey, contact),
        start=start,
        contact=contact,
        arrivals=_arrivals(events, start, contact, until, defaults.screen),
        answers=tuple(said for node in events if is_answer(node) if (said := read_answer(node, start))),
        claims=fields["expect"].each(lambda item: read_claim(item, frame)),
        until=until,
    )


def _arrivals(
    events: Sequence[Node], start: int, contact: Contact, until: int | None, screen: Screen | None
) -> tuple[Arrival, ...]:
    """Return the events in the order in which they reach us; those of one instant in the order of the file."""
    found: list[Arrival] = []
    for number, item in enumerate(events, start=1):
        if is_answer(item):
            continue
        arrivals = read_event(item, start, contact.id, number, screen)
        if until is not None and any(arrival.at > until for arrival in arrivals):
            item.fault("it arrives after `until`, where the clock stops")
        found.extend(arrivals)
    return tuple(sorted(found, key=lambda arrival: arrival.at))


def _contact(node: Node, journey: Journey) -> Contact:
    fields = node.fields(_CONTACT)
    traits = mapping(fields["traits"]) if "traits" in fields else {}
    if "locale" in fields:
        traits["locale"] = fields["locale"].text()
    holdout = fields["holdout"].boolean() if "holdout" in fields else None
    if holdout and not has_holdout(journey):
        fields["holdout"].fault("the journey's policy has no `holdout`")
    return Contact(
        id=identifier(fields["id"]) if "id" in fields else "c1",
        traits=traits,
        consent=read_consent(fields["consent"]) if "consent" in fields else {},
        holdout=holdout,
        variants=_variants(fields["variants"], journey) if "variants" in fields else {},
    )


def _variants(node: Node, journey: Journey) -> dict[str, str]:
    known = variants(journey)
    chosen = {}
    for salt, child in node.pairs():
        if salt in known:
            chosen[salt] = child.choice(known[salt], "variant")
        else:
            child.fault(f"the journey has no experiment with the salt {shown(salt)}{suggestion(salt, known)}")
    return chosen
