"""A journey in a few words: its steps, its top."""

from __future__ import annotations

from textwrap import dedent, indent

from shared.journeys.model import Journey
from tests.unit.shared.journeys.literals import faults, parsed

MAIL = "send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}"
HEAD = "schema: journey/v1\nid: trip\nversion: 1\ntrigger: {type: event, event: Go}\n"
LINE = 5
"""The line of ``more``; the head has four."""


def text(steps: str, more: str) -> str:
    lines = indent(dedent(steps).strip("\n").replace("MAIL", MAIL), "  ")
    policy = "" if "policy:" in more else "policy: {purpose: transactional}\n"
    return f"{HEAD}{dedent(more).strip()}\n{policy}steps:\n{lines}\n"


def journey(steps: str, more: str = "name: x") -> Journey:
    """Return the journey of ``steps``; ``more`` stands in its line 5. ``MAIL`` stands for a send."""
    return parsed(text(steps, more))


def told(steps: str, more: str) -> list[str]:
    """Return the faults of that journey, without the file's name."""
    return [fault.removeprefix("journey.yaml:") for fault in faults(text(steps, more))]
