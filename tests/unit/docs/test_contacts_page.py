"""``docs/contacts.md`` names every field that is told of a contact, and no other."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from shared.messages import contact
from shared.messages.contact import ContactView, MessageStatus
from tests.builders import ROOT
from tests.unit.docs.pages import blocks, first_words, table

PAGE = "docs/contacts.md"
TABLES = {
    "### The contact": contact.ContactView,
    "### Identifiers": contact.Identifiers,
    "### A statement of consent": contact.ConsentStatement,
    "### A recent event": contact.RecentEvent,
    "### A journey": contact.ContactJourney,
    "### A message": contact.ContactMessage,
    "### A suppressed address": contact.SuppressedAddress,
    "### As of": contact.AsOf,
}


@pytest.mark.parametrize(("heading", "told"), TABLES.items(), ids=TABLES)
def test_every_field_is_explained_in_its_order(heading: str, told: type[msgspec.Struct]) -> None:
    assert list(told.__struct_fields__) == [row[0].strip("`") for row in table(PAGE, heading)]


def test_every_status_is_explained() -> None:
    assert set(get_args(MessageStatus)) == first_words(PAGE, "| `status` | |\n")


def test_the_example_is_an_answer() -> None:
    [example] = blocks(ROOT / PAGE, "json")
    found = msgspec.json.decode(example, type=ContactView)
    assert msgspec.json.decode(msgspec.json.encode(found)) == msgspec.json.decode(example)
