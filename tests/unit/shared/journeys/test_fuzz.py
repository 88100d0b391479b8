"""Whatever text a journey file holds, its author gets a journey or faults: never a traceback, never a hang."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.journeys.faults import JourneyFaultsError
from shared.journeys.parse import parse_journey
from shared.journeys.templates import parse_template
from tests.unit.shared.journeys.literals import AROUND, VALID

PIECES = [
    *"{}[]:,#&*!|>'\"%@`?-~=<.\\\t\n ",
    *(
        "\n  ",
        "\n    - ",
        ": ",
        "? ",
        "- ",
        "---\n",
        "...\n",
        "<<: ",
        "&a ",
        "*a",
        "!!int ",
        "!!timestamp ",
        "%YAML 1.1\n",
    ),
    *("id", "steps", "trigger", "where", "all", "not", "send", "wait", "for", "exit", "policy", "template", "email"),
    *("45m", "1_000", "0x1F", "0o17", "1e400", ".nan", "2026-99-99", "12:30:45", "-_", "null", "true", "on", "{{ x }}"),
    *("9" * 5000, "\x00", "\ufeff", "\u2028", "\x85", "\U0001f600", "カート"),
]
LINE_ENDS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["contact.id", "event.x", "1d", "email", "never", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["event", "id", "all", "not", "x"]), inner)
    ),
    max_leaves=6,
)


def judged(text: str) -> None:
    """Read ``text`` as both kinds of file; only faults may come of it, each with a place in it and one line."""
    for parse in (lambda: parse_journey("f.yaml", text, AROUND), lambda: parse_template("f.yaml", text)):
        try:
            parse()
        except JourneyFaultsError as error:
            found = error.faults
        else:
            continue
        assert found
        for fault in found:
            assert 1 <= fault.line <= LINE_ENDS.subn("", text)[1] + 1
            assert 1 == len(fault.message.splitlines())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_yaml_like_noise(pieces: list[str]) -> None:
    judged("".join(pieces))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    judged(text)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutations_of_a_valid_journey(data: st.DataObject) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 30)))
        text = text[:at] + data.draw(st.sampled_from([*PIECES, ""])) + text[end:]
    judged(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([line.split(":")[0] for line in VALID.splitlines() if line[0] != " "]), VALUES)
def test_any_value_in_the_place_of_another(key: str, value: object) -> None:
    """JSON is YAML."""
    lines = [line for line in VALID.split("steps:")[0].splitlines() if not line.startswith(f"{key}:")]
    judged("\n".join([*lines, f"{key}: {json.dumps(value)}", "goals: [" + json.dumps(value) + "]"]))
