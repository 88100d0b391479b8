"""Layouts: what all mails of a shop have around their own words, in a file ``layouts/<id>.yaml`` each.

A layout is put around a mail's texts when the file is read. What is checked, decided and rendered is the whole.
"""

from __future__ import annotations

from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.ids import parse_id
from shared.journeys.layout import CONTENT, Layout
from shared.journeys.reader import Node
from shared.rendering import Slip, check_part

SCHEMA = "layout/v1"
PARTS = (("mjml",), ("text",))
"""The required and the optional parts of a layout."""
_EXAMPLE = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>"


def parse_layout(file: str, text: str) -> Layout:
    """Return the layout in ``text``. Raises JourneyFaultsError with every fault of the file."""
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    layout = None if root is None else _layout(root)
    if faults or layout is None:
        raise JourneyFaultsError(faults)
    return layout


def check_within(part: str, text: str, around: tuple[str, str]) -> list[Slip]:
    """Return what is wrong with a message's ``part``, whose ``text`` stands in ``around``, at offsets of ``text``."""
    before, behind = around
    found = check_part(part, f"{before}{text}{behind}")
    last = max(len(text) - 1, 0)
    return [Slip(min(max(slip.offset - len(before), 0), last), slip.message) for slip in found]


def _layout(root: Node) -> Layout | None:
    fields = root.fields(("schema", "id", "locales"), required=("schema", "id", "locales"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not {"id", "locales"} <= fields.keys():
        return None
    if fields["locales"].value == {}:
        fields["locales"].fault("expected at least one locale")
    locales = {str(locale): _parts(child) for locale, child in fields["locales"].pairs()}
    return Layout(id=parse_id(fields["id"]), locales=locales)


def _parts(node: Node) -> dict[str, str]:
    required, optional = PARTS
    return {part: _part(part, child) for part, child in node.fields((*required, *optional), required).items()}


def _part(part: str, node: Node) -> str:
    text = node.text()
    if not text:
        return text
    if text.count(CONTENT) != 1:
        node.fault(f"write {CONTENT} once, where the mail's own words stand")
        return text
    example = _EXAMPLE if part == "mjml" else ""
    at = text.index(CONTENT)
    for slip in check_part(part, text.replace(CONTENT, example)):
        behind = slip.offset > at
        node.fault_at(slip.offset + (len(CONTENT) - len(example) if behind else 0), slip.message)
    return text
