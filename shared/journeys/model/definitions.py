"""All that a folder defines."""

from __future__ import annotations

import msgspec

from shared.journeys.model.journey import Journey
from shared.journeys.model.tracking import Tracking
from shared.journeys.predicate import Condition

EDGE_EVENTS = {"entered": "Audience Entered", "left": "Audience Left"}
"""The events of our own by which journeys can ask for a contact's coming into an audience and leaving it."""


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Every contact for which ``where`` holds, from the event or the moment on that makes it so."""

    id: str
    where: Condition
    name: str = ""
    description: str = ""


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """Journeys, ready to run, and what they refer to. ``timezone``, ``locale`` and ``tracking`` are the workspace's."""

    journeys: tuple[Journey, ...]
    audiences: tuple[Audience, ...] = ()
    timezone: str = "UTC"
    locale: str | None = None
    tracking: Tracking = Tracking()
