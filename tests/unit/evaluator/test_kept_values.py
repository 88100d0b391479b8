"""What a run keeps is the same before and after a restart, whatever kind of value an expression has."""

from __future__ import annotations

import pytest

from services.evaluator.core.state import ContactState
from services.evaluator.rows import Row, decode_row, encode_row
from shared.messages import codec
from shared.messages.event import Event
from tests.builders import at
from tests.unit.evaluator.playing import GO, happens, journey

KINDS = {
    "duration('3h')": "10800s",
    "duration('-1.5s')": "-1.500s",
    "duration('1.000001s')": "1.000001s",
    "[duration('1s'), {'in': duration('2s')}]": ["1s", {"in": "2s"}],
    "[now, timestamp('2026-03-02T10:00:00.5+09:00')]": None,
    "b'bytes'": b"bytes",
    "{1: 'a', 'b': [1, 2.5, true, null]}": {1: "a", "b": [1, 2.5, True, None]},
    "event.properties.none": None,
}


def read_again(state: ContactState) -> ContactState:
    return decode_row(encode_row(Row(state))).state


@pytest.mark.parametrize("expression", KINDS)
def test_a_row_is_read_as_it_was_written(expression: str) -> None:
    trip = journey(
        f"""
        - {{id: note, update: {{set: {{kept: {{expr: "{expression}"}}}}}}}}
        - {{id: pause, wait: {{for: 1h}}}}
        """,
        more=f'context: {{kept: "{expression}"}}',
    )
    state = happens(trip, GO, until=at("10:01")).states["u:c1"]
    assert state == read_again(state)
    assert state.runs[0].context["kept"] == state.traits["kept"]
    if KINDS[expression] is not None:
        assert KINDS[expression] == state.traits["kept"]


@pytest.mark.parametrize("condition", ["context.left == '10800s'", "duration(context.left) > duration('1h')"])
def test_a_kept_duration_is_a_text_at_once(condition: str) -> None:
    """Not only from the next restart on."""
    trip = journey(
        f'- id: way\n  branch: [{{if: "{condition}", then: [{{id: yes, exit: {{reason: yes}}}}]}}]',
        more="context: {left: \"duration('3h')\"}",
    )
    assert ["yes"] == [it.reason for it in happens(trip, GO, until=at("10:01")).journal if it.decision == "exited"]


def test_an_emitted_event_is_read_as_it_was_emitted() -> None:
    trip = journey("- {id: tell, emit: {event: Left, properties: {left: {expr: \"duration('3h')\"}}}}")
    [event] = happens(trip, GO, until=at("10:01")).events
    assert isinstance(event, Event)
    assert event == codec.EVENTS.decode(codec.encode(event))
    assert {"left": "10800s"} == event.properties
