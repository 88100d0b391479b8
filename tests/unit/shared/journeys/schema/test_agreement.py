"""The schemas and the parsers know the same words, at every place of every kind of document."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.simulator.documents import read_tests
from services.dispatcher.connectors.file import parse_connectors
from services.dispatcher.providers import parse_providers
from services.ingest.keys_file import parse_keys
from services.ingest.webhooks.file import parse_webhooks
from shared.catalogue.reader import parse_catalogue
from shared.journeys.audiences import parse_audience
from shared.journeys.calendars import parse_calendar
from shared.journeys.faults import JourneyFaultsError
from shared.journeys.files import load_definitions
from shared.journeys.layouts import parse_layout
from shared.journeys.parse import parse_journey
from shared.journeys.reader import Node
from shared.journeys.templates import parse_template
from shared.journeys.workspace import parse_workspace
from tests.builders import JOURNEYS
from tests.schemas import READERS, reading, schema
from tests.unit.shared.journeys.schema.instances import Instances

NONSENSE = "nonsense"
SHIPPED = load_definitions(JOURNEYS).journeys


def read(kind: str, text: str) -> None:
    """Let the parser of ``kind`` read ``text``, whatever it makes of it."""
    if kind == "test":
        read_tests("f.test.yaml", text, SHIPPED, [])
        return
    parse: Any = {
        "journey": parse_journey,
        "template": parse_template,
        "layout": parse_layout,
        "audience": parse_audience,
        "calendar": parse_calendar,
        "workspace": parse_workspace,
        "catalogue": parse_catalogue,
        "connectors": lambda file, text: parse_connectors(file, text, {}),
        "providers": lambda file, text: parse_providers(file, text, {}),
        "webhooks": lambda file, text: parse_webhooks(file, text, {}),
        "keys": parse_keys,
    }[kind]
    with suppress(JourneyFaultsError):
        parse("f.yaml", text)


def written(kind: str, document: Any) -> str:
    """Return ``document`` as a text; JSON is YAML. A test is one of a journey that is there."""
    if kind == "test":
        document["journey"], document["start"] = "cart_abandonment", "2026-03-02T10:00:00+09:00"
    return json.dumps(document)


@pytest.mark.parametrize("kind", READERS)
def test_every_mapping_has_the_keys_that_its_parser_knows(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []
    fields = Node.fields

    def noting(node: Node, known: Collection[str], *more: Collection[str], **rest: Collection[str]) -> dict[str, Node]:
        if isinstance(node.value, dict) and NONSENSE in node.value:
            asked.append(set(known))
        return fields(node, known, *more, **rest)

    monkeypatch.setattr(Node, "fields", noting)
    instances = Instances(schema(kind).schema)  # type: ignore[arg-type]
    for mapping, wrap in instances.objects():
        asked.clear()
        document = wrap({**instances.least(mapping), NONSENSE: 1})
        read(kind, written(kind, document))
        assert asked, f"the parser reads no mapping there: {document}"
        assert [set(mapping["properties"])] * len(asked) == asked, document
        assert not schema(kind).is_valid(document)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_what_the_schema_accepts_is_read_without_a_crash_and_its_form_is_right(kind: str, data: st.DataObject) -> None:
    text = written(kind, data.draw(Instances(schema(kind).schema).anything()))  # type: ignore[arg-type]
    with reading() as documents:
        read(kind, text)
    assert [None] == [document.disagreement() for document in documents]
