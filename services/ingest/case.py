"""A request of which events are made, from its head to its answer."""

from __future__ import annotations

from services.ingest.admission import Outer
from services.ingest.formats.base import Arrived, Route
from services.ingest.plan import Sender


class Case:
    """A request under way: what is known of it before its body, and, once that is read, what it is and whose."""

    __slots__ = ("arrived", "outer", "route", "sender")

    arrived: Arrived

    def __init__(self, outer: Outer, route: Route) -> None:
        self.outer = outer
        self.route = route
        self.sender: Sender | None = None
