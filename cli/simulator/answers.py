"""What connectors answer in virtual time: lines of ``events`` in a test, and the file of ``simulate --answers``."""

from __future__ import annotations

from pathlib import Path

from cli.simulator.engine import Saying
from cli.simulator.times import read_time
from cli.simulator.values import plain
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError
from shared.journeys.reader import Node
from shared.journeys.surroundings import read_text

SCHEMA = "answers/v1"


def is_answer(node: Node) -> bool:
    """Tell whether the line of ``events`` is what a connector answers."""
    return node.is_a(dict) and "answer" in node.value


def read_answer(node: Node, start: int) -> Saying | None:
    """Return the answer of the line ``{at, answer: CONNECTOR, data: …}`` or ``{answer: CONNECTOR, error: …}``."""
    fields = node.fields(("at", "answer", "data", "error"), ("answer",))
    said = _said(fields["answer"].text(), node, fields)
    if said is None or "at" not in fields:
        return said
    return Saying(said.connector, read_time(fields["at"], start), said.data, said.error)


def read_answers(file: Path, faults: list[Fault]) -> dict[str, list[Saying]]:
    """Return what each connector answers whenever it is asked; what is wrong with the file goes to ``faults``."""
    try:
        text = read_text(file)
    except JourneyFaultsError as error:
        faults.extend(error.faults)
        return {}
    root = read_document(str(file), text, faults)
    fields = {} if root is None else root.fields(("schema", "answers"), ("schema", "answers"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    named = fields["answers"].pairs() if "answers" in fields else []
    found = ((name, _said(name, node, node.fields(("data", "error")))) for name, node in named)
    return {name: [said] for name, said in found if said is not None}


def _said(connector: str, node: Node, fields: dict[str, Node]) -> Saying | None:
    if ("data" in fields) == ("error" in fields):
        if node.is_a(dict):
            node.fault("an answer has either `data` or an `error`")
        return None
    if "error" in fields:
        return Saying(connector, error=fields["error"].text())
    return Saying(connector, data=plain(fields["data"]))
