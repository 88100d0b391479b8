"""The reference pages name exactly what the code has: reasons, codes, metrics, topics, event names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

from services.dispatcher.core.rows import DEAD
from services.evaluator.builder import BACKLOG, TOO_LARGE
from services.evaluator.core.addresses import ADDRESS_TRAITS
from services.evaluator.core.calls import LATE, TIMEOUT
from services.evaluator.core.own_events import LOOP
from services.ingest.schemas import CONSENT_NAMES, FIXED_NAMES
from shared.catalogue.reader import standard
from shared.catalogue.validation import INVALID_PROPERTIES, INVALID_TRAITS, UNKNOWN_EVENT
from shared.clock import DAY
from shared.journeys import conditions, steps
from shared.journeys.model import Send
from shared.journeys.sending import Policy
from shared.journeys.walk import JOURNEY_ENTERED, JOURNEY_EXITED
from shared.journeys.workspace import Workspace
from shared.messages.answer import ANSWERED, FAILED
from shared.messages.command import CommandRecord, Hours
from shared.messages.event import EventRecord
from shared.messages.journal import Decision
from shared.messages.outcome import EVENT_NAMES, STAFF_EVENT_NAMES, OutcomeStatus
from shared.messages.topics import TOPICS
from shared.metrics import Metrics
from tests.builders import ROOT
from tests.unit.docs.pages import first_words, table

REASONS = "docs/reference/reasons.md"
CORE = ROOT / "services/evaluator/core"
DISPATCHER = ROOT / "services/dispatcher"


def trees(*files: Path) -> Iterator[ast.AST]:
    for file in files:
        yield from ast.walk(ast.parse(file.read_text()))


def called(node: ast.AST) -> str:
    """Return the name of the function that ``node`` calls, or nothing."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def texts(node: ast.AST) -> list[str]:
    """Return the literals in ``node``."""
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def function(file: Path, name: str) -> ast.FunctionDef:
    [found] = [node for node in trees(file) if isinstance(node, ast.FunctionDef) and node.name == name]
    return found


def constants(*names: str) -> set[str]:
    """Return the values of the core's constants that are reasons: in capitals, and of one lower-case word."""
    found = {
        node.value.value
        for node in trees(*(CORE / name for name in names))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    return {value for value in found if re.fullmatch(r"[a-z_]+", value)}


def test_every_reason_to_stay_out_is_explained_in_its_order() -> None:
    refusal = function(CORE / "entry.py", "_refusal")
    returned = [text for node in ast.walk(refusal) if isinstance(node, ast.Return) for text in texts(node)]
    explained = [row[0].strip("`") for row in table(REASONS, "## Reasons of `not_entered`")]
    assert set(returned) == set(explained)
    order = ["too_old", "journey_stopped", "outside_entry_window", "already_inside", "filter_false", "cooldown"]
    assert [*order, "reentry_max"] == explained


def test_every_check_before_a_send_is_explained_in_its_order() -> None:
    [order] = [
        node.value
        for node in trees(CORE / "gates.py")
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_ORDER"
    ]
    names = texts(order)
    assert 10 == len(names)
    assert names == [row[0].strip("`") for row in table(REASONS, "The evaluator asks in this order")]


def test_every_reason_not_to_publish_a_message_is_explained() -> None:
    builder = next(trees(ROOT / "services/evaluator/builder.py"))
    assert isinstance(builder, ast.Module)
    named = {text for node in builder.body if isinstance(node, ast.Assign) for text in texts(node.value)}
    assert {"backlog", "too_large"} == named == first_words(REASONS, "A message that was decided and never published")


def test_the_reason_of_an_event_that_is_not_emitted_is_explained() -> None:
    assert f"`{LOOP}`" in (ROOT / REASONS).read_text()


def test_every_end_of_a_message_is_explained() -> None:
    """``skipped`` by the dispatcher and ``failed``, and what a cancel may say."""
    skipped, failed = set(get_args(get_type_hints(Hours)["reason"])), {"internal_error", *DEAD.values()}
    for node in trees(DISPATCHER / "sending.py", DISPATCHER / "handover.py", DISPATCHER / "core/rows.py"):
        if called(node) == "End" and isinstance(node, ast.Call) and "skipped" in texts(node.args[0]):
            skipped |= set(texts(node.args[1]))
        if called(node) == "Drop" and isinstance(node, ast.Call):
            skipped |= set(texts(node.args[0]))
        if called(node) == "End" and isinstance(node, ast.Call) and "failed" in texts(node.args[0]):
            failed |= set(texts(node.args[1]))
    cancel = function(CORE / "exits.py", "cancel")
    [reason] = [argument.annotation for argument in cancel.args.args if argument.arg == "reason"]
    assert reason is not None
    cancelled = set(texts(reason))
    assert {"exited", "no_consent", "suppressed"} == cancelled
    assert skipped | cancelled == first_words(REASONS, "The dispatcher asks again")
    assert failed == first_words(REASONS, "## Reasons of `failed`")


def test_every_end_of_a_call_is_explained() -> None:
    """What the connector comes to, what no dispatcher even tries, and what the run does not wait for."""
    known = {TIMEOUT, LATE, "internal_error", "exited", "expired", "journey_stopped", BACKLOG, TOO_LARGE}
    for node in trees(DISPATCHER / "calling.py"):
        if called(node) == "End" and isinstance(node, ast.Call) and "failed" in texts(node.args[0]):
            known |= set(texts(node.args[1]))
    assert known == first_words(REASONS, "## Reasons of `answered`")


def test_every_end_of_a_run_that_no_journey_names_is_explained() -> None:
    found = constants("advance.py", "entry.py", "exits.py", "handover.py", "migration.py", "steps.py")
    assert found == first_words(REASONS, "## Reasons of `exited`")


def test_every_reason_of_regret_is_explained() -> None:
    regret = function(CORE / "exits.py", "_regret")
    noted = {
        text
        for node in ast.walk(regret)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "reason"
        for text in texts(keyword.value)
    }
    assert noted == first_words(REASONS, "## Reason of `regret`")


def test_every_decision_is_explained_and_those_never_written_are_named() -> None:
    written = {text for node in trees(CORE / "settle.py") if isinstance(node, ast.Dict) for text in map_values(node)}
    for node in trees(*CORE.glob("*.py")):
        if called(node) in ("note", "note_run") and isinstance(node, ast.Call):
            written |= set(texts(node.args[0]))
    assert written == first_words(REASONS, "## Decisions")
    assert set(get_args(Decision)) == written


def map_values(node: ast.Dict) -> list[str]:
    return [text for value in node.values for text in texts(value)]


def test_every_code_of_ingest_is_explained() -> None:
    files = [*(ROOT / "services/ingest").rglob("*.py")]
    codes = {"no_group_id", "no_previous_id"}  # made from the field's name
    codes |= {UNKNOWN_EVENT, INVALID_PROPERTIES, INVALID_TRAITS}
    for node in trees(*files):
        if isinstance(node, ast.keyword) and node.arg == "code":
            codes |= set(texts(node.value)) if isinstance(node.value, ast.Constant) else set()
        if isinstance(node, ast.ClassDef):
            codes |= {
                text
                for part in node.body
                if isinstance(part, ast.Assign) and getattr(part.targets[0], "id", "") == "code"
                for text in texts(part.value)
            }
        if called(node) == "error_body" and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
            codes.add(str(node.args[0].value))
    codes -= {"refused"}  # the family's own
    assert codes == {row[1].strip("`") for row in table("docs/http.md", "### Codes")}


def test_every_metric_is_in_the_table_with_its_labels_and_meaning() -> None:
    registry = Metrics().registry
    declared = []
    for metric in registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        labels = getattr(registry._names_to_collectors[name], "_labelnames", ())
        shown = ", ".join(f"`{label}`" for label in labels)
        declared.append([f"`{name}`", metric.type, shown, metric.documentation])
    assert declared == table("docs/reference/metrics.md")


def test_every_topic_is_in_the_table_as_it_is_made() -> None:
    expected = [
        [
            f"`{topic.name}`",
            "all" if topic.partitions is None else str(topic.partitions),
            "for ever" if topic.retention is None else f"{topic.retention // DAY} days",
            f"{topic.max_message_bytes // 1024**2} MiB",
        ]
        for topic in TOPICS
    ]
    assert expected == [[row[0], *row[3:]] for row in table("docs/reference/topics.md")]


def test_the_events_page_names_the_event_of_each_call_and_outcome() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    for call, name in FIXED_NAMES.items():
        assert f"| `{call}` | `{name}` |" in page
    for name in CONSENT_NAMES.values():
        assert f"`{name}`" in page
    said = {row[2].strip("`"): row[0].strip("`") for row in table("docs/reference/events.md", "## Messages")}
    assert said == {name: own for name, own in standard().aliases.items() if own.startswith("Message ")}
    assert set(get_args(OutcomeStatus)) == first_words("docs/reference/events.md", "## Outcomes")
    for status, name in EVENT_NAMES.items():
        assert f"| `{status}` | `{name}` |" in page
    for name in (ANSWERED, FAILED, JOURNEY_ENTERED, JOURNEY_EXITED, *STAFF_EVENT_NAMES.values()):
        assert f"`{name}`" in " ".join(page.split())


def test_the_topics_page_names_the_kinds_of_record() -> None:
    page = (ROOT / "docs/reference/topics.md").read_text()
    for topic, record in (("events", EventRecord), ("commands", CommandRecord)):
        shown = ", ".join(f"`{kind.__struct_config__.tag}`" for kind in get_args(record))
        assert f"| `{topic}` | {shown} |" in page


def test_the_page_on_sending_names_the_trait_of_each_channel() -> None:
    shown = {
        row[0].strip("`"): tuple(re.findall(r"`(\w+)`", row[1]))
        for row in table("docs/journeys/sending.md", "The address is a trait")
    }
    assert shown == {channel: traits for channel, traits in ADDRESS_TRAITS.items() if traits}


def test_the_page_explains_each_word_of_steps_conditions_and_policy() -> None:
    words = first_words("docs/journeys.md", "### Steps")
    assert set(steps._VERBS) == words
    shown = {word.partition(":")[0] for word in first_words("docs/journeys.md", "### Conditions")}
    assert set(conditions._KINDS) == shown
    named = first_words("docs/journeys/sending.md", "## `policy`")
    assert {field if field != "caps" else "frequency_cap" for field in Policy.__struct_fields__} == named


def test_the_page_on_sending_explains_each_word_of_a_send() -> None:
    rows = table("docs/journeys/sending.md", "## The step `send`")
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row[0])}
    own = {"policy": {"purpose", "topic", "frequency_cap", "quiet_hours"}}
    words = {word for field in Send.__struct_fields__ for word in own.get(field, {field})}
    assert words - {"id"} == named


def test_the_page_on_the_workspace_explains_each_of_its_words() -> None:
    named = first_words("docs/journeys/workspace.md", '"default"')
    # What contacts read of topics is said among the topics.
    assert {"schema", *Workspace.__struct_fields__} - {"topic_texts"} == named
