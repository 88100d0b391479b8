"""A small valid journey whose lines the tests break, and what is said of it."""

from __future__ import annotations

from shared.journeys.faults import JourneyFaultsError
from shared.journeys.model import Journey, Template
from shared.journeys.parse import parse_journey
from shared.journeys.workspace import Surroundings
from tests.builders import lined

VALID = """\
schema: journey/v1
id: welcome
version: 1
trigger: {type: event, event: Signed Up}
entry: {priority: 10}
policy: {purpose: transactional}
steps:
  - {id: hello, send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}}
  - {id: rest, wait: {for: 1d}}
  - {id: end, exit: {reason: done}}
"""

TEMPLATES = {"cart/remind": Template(id="cart/remind", locales={"ja": {"email": {"subject": "件名", "text": "本文"}}})}
AROUND = Surroundings(templates=TEMPLATES)


def changed(old: str, new: str, text: str = VALID) -> str:
    """Return ``text`` with its one ``old`` replaced."""
    assert 1 == text.count(old), f"{old!r} stands {text.count(old)} times in the journey"
    return text.replace(old, new)


def parsed(text: str) -> Journey:
    """Return the journey in ``text``."""
    return parse_journey("journey.yaml", text, AROUND)


def faults(text: str) -> list[str]:
    """Return what a person is told of ``text``; nothing when it is valid."""
    try:
        parsed(text)
    except JourneyFaultsError as error:
        return [lined(fault) for fault in error.faults]
    return []
