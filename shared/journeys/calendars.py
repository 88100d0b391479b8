"""Calendars: the days of occasions (sales, holidays, company events), in a file ``calendars/<id>.yaml`` each."""

from __future__ import annotations

import msgspec

from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.ids import parse_id
from shared.journeys.reader import Node
from shared.journeys.times import parse_date

SCHEMA = "calendar/v1"


class Occasion(msgspec.Struct, frozen=True, order=True):
    """One time of an occasion: its first and its last day (ISO dates)."""

    first: str
    last: str


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Occasions by name, each with its days in their order. A new ``version`` replaces the days of the former."""

    id: str
    version: int
    occasions: dict[str, tuple[Occasion, ...]]


def parse_calendar(file: str, text: str) -> Calendar:
    """Return the calendar in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    calendar = None if root is None else _calendar(root)
    if faults or calendar is None:
        raise JourneyFaultsError(faults)
    return calendar


def _calendar(root: Node) -> Calendar | None:
    fields = root.fields(("schema", "id", "version", "occasions"), required=("schema", "id", "version", "occasions"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not {"id", "version", "occasions"} <= fields.keys():
        return None
    occasions = {}
    for name, child in fields["occasions"].pairs():
        days = child.each(_occasion)
        if len({day.first for day in days}) != len(days):
            child.fault(f"occasion `{name}` has a day twice")
        occasions[name] = tuple(sorted(days))
    return Calendar(id=parse_id(fields["id"]), version=fields["version"].integer(1, 1_000_000), occasions=occasions)


def _occasion(node: Node) -> Occasion | None:
    """Return a day (``2026-11-30``) or a span of days (``{from: 2027-04-29, to: 2027-05-05}``)."""
    if not node.is_a(dict):
        day = parse_date(node)
        return Occasion(day, day)
    fields = node.fields(("from", "to"), required=("from", "to"))
    if not {"from", "to"} <= fields.keys():
        return None
    first, last = parse_date(fields["from"]), parse_date(fields["to"])
    if last < first:
        fields["to"].fault(f"{last} is before {first}")
    return Occasion(first, last)
