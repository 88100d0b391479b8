"""A journey document to a ``Journey``. Every fault of the file is found in one run, each with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, cast

from shared.clock import DAY
from shared.journeys import later
from shared.journeys.check import check_journey
from shared.journeys.conditions import parse_channels, parse_condition, parse_path
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown, suggestion
from shared.journeys.model import (
    Entry,
    EventTrigger,
    Exit,
    ExitAfter,
    ExitOnEvent,
    ExitRule,
    Goal,
    Journey,
    Path,
    Policy,
    Reentry,
    Send,
    Step,
    Template,
    Trigger,
    Wait,
)
from shared.journeys.reader import Node
from shared.journeys.templates import parse_inline_template

SCHEMA = "journey/v1"
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOP = (
    "schema id version name description owner tags trigger triggers entry context goals exit policy steps".split()  # noqa: SIM905 - reads as the language page does
)
_VERBS = ("wait", "send", "exit")
_DEFAULT_GOAL_WINDOW = 7 * DAY


def parse_journey(file: str, text: str, templates: Mapping[str, Template | None]) -> Journey:
    """Return the journey in ``text``. Raises JourneyFaultsError with every fault of the file.

    ``templates`` are those that it may name; None: there is one, with faults of its own.
    """
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    journey = None if root is None else _journey(root, templates)
    if faults or journey is None:
        raise JourneyFaultsError(faults)
    return journey


def parse_id(node: Node) -> str:
    """Return an id: lower case letters, digits and underscores."""
    text = node.text()
    if text and not _ID.fullmatch(text):
        node.fault(f"{shown(text)} is not an id; use up to 64 small letters, digits and _, a letter first")
    return text


def _journey(root: Node, templates: Mapping[str, Template | None]) -> Journey | None:
    fields = root.fields(_TOP, required=("schema", "id", "version", "steps"), later=later.JOURNEY)
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not root.is_a(dict):
        return None
    if "trigger" in fields and "triggers" in fields:
        fields["triggers"].fault("write either `trigger` or `triggers`, not both")
    elif "trigger" not in fields and "triggers" not in fields:
        root.fault("`trigger` is missing: nothing starts this journey")
    triggers: tuple[Trigger, ...] = ()
    if "trigger" in fields:
        one = _trigger(fields["trigger"])
        triggers = () if one is None else (one,)
    elif "triggers" in fields:
        triggers = fields["triggers"].each(_trigger)
    positions: dict[str, Node] = {}
    journey = Journey(
        id=parse_id(fields["id"]) if "id" in fields else "",
        version=fields["version"].integer(1, 1_000_000) if "version" in fields else 0,
        triggers=triggers,
        steps=fields["steps"].each(lambda node: _step(node, templates, positions)) if "steps" in fields else (),
        name=fields["name"].text() if "name" in fields else "",
        description=fields["description"].text() if "description" in fields else "",
        owner=fields["owner"].text() if "owner" in fields else "",
        tags=tuple(tag.text() for tag in fields["tags"].items()) if "tags" in fields else (),
        entry=_entry(fields["entry"]) if "entry" in fields else Entry(),
        context=_context(fields["context"]) if "context" in fields else {},
        goals=fields["goals"].each(_goal) if "goals" in fields else (),
        exits=fields["exit"].each(_exit_rule) if "exit" in fields else (),
        policy=_policy(fields["policy"]) if "policy" in fields else Policy(),
    )
    check_journey(journey, fields, positions)
    return journey


def _trigger(node: Node) -> Trigger | None:
    if node.is_a(dict) and "type" in node.value and node.value["type"].value in later.TRIGGER_TYPES:
        # Its other keys are those of that type.
        node.value["type"].choice(("event",), "trigger type", later.TRIGGER_TYPES)
        return None
    fields = node.fields(("type", "event", "where", "max_age"), required=("type", "event"), later=later.TRIGGER)
    if "type" in fields:
        fields["type"].choice(("event",), "trigger type")
    if "event" not in fields:
        return None
    return EventTrigger(
        event=fields["event"].text(),
        where=parse_condition(fields["where"]) if "where" in fields else None,
        max_age=fields["max_age"].duration() if "max_age" in fields else None,
    )


def _entry(node: Node) -> Entry:
    fields = node.fields(("where", "key", "on_retrigger", "reentry", "priority"), later=later.ENTRY)
    key = fields.get("key")
    retrigger = ("ignore", "restart", "update_context")
    return Entry(
        where=parse_condition(fields["where"]) if "where" in fields else None,
        key=None if key is None or key.value == "contact" else parse_path(key),
        on_retrigger=cast(
            "Literal['ignore', 'restart', 'update_context']",
            fields["on_retrigger"].choice(retrigger, "on_retrigger") if "on_retrigger" in fields else "ignore",
        ),
        reentry=_reentry(fields["reentry"]) if "reentry" in fields else Reentry(),
        priority=fields["priority"].integer(0, 100) if "priority" in fields else 50,
    )


def _reentry(node: Node) -> Reentry:
    fields = node.fields(("mode", "cooldown"), later=later.REENTRY)
    modes = ("after_exit", "never")
    mode = fields["mode"].choice(modes, "reentry mode", later.REENTRY_MODES) if "mode" in fields else "after_exit"
    return Reentry(
        mode=cast("Literal['never', 'after_exit']", mode),
        cooldown=fields["cooldown"].duration() if "cooldown" in fields else 0,
    )


def _context(node: Node) -> dict[str, Path]:
    found = {}
    for name, child in node.pairs():
        path = parse_path(child)
        if path is not None:
            found[str(name)] = path
    return found


def _goal(node: Node) -> Goal | None:
    known = ("id", "primary", "event", "where", "window", "attribution", "value")
    fields = node.fields(known, required=("id", "event"))
    if not {"id", "event"} <= fields.keys():
        return None
    if "attribution" in fields:
        fields["attribution"].choice(("last_send",), "attribution", later.ATTRIBUTIONS)
    return Goal(
        id=parse_id(fields["id"]),
        event=fields["event"].text(),
        window=fields["window"].duration(least=1) if "window" in fields else _DEFAULT_GOAL_WINDOW,
        primary=fields["primary"].boolean() if "primary" in fields else False,
        where=parse_condition(fields["where"]) if "where" in fields else None,
        value=parse_path(fields["value"]) if "value" in fields else None,
    )


def _exit_rule(node: Node) -> ExitRule | None:
    fields = node.fields(("reason", "event", "where", "after"), required=("reason",), later=later.EXIT_RULE)
    if ("event" in fields) == ("after" in fields):
        if node.is_a(dict) and not later.EXIT_RULE & node.value.keys():
            node.fault("an exit rule has either `event` or `after`")
        return None
    reason = parse_id(fields["reason"]) if "reason" in fields else ""
    if "after" in fields:
        if "where" in fields:
            fields["where"].fault("`where` belongs to an exit by `event`")
        return ExitAfter(reason=reason, after=fields["after"].duration())
    where = parse_condition(fields["where"]) if "where" in fields else None
    return ExitOnEvent(reason=reason, event=fields["event"].text(), where=where)


def _policy(node: Node) -> Policy:
    fields = node.fields(("purpose", "topic", "max_sends", "on_ambiguous"), later=later.POLICY)
    purpose = (
        fields["purpose"].choice(("marketing", "transactional"), "purpose") if "purpose" in fields else "marketing"
    )
    ambiguous = fields["on_ambiguous"].choice(("hold", "retry"), "on_ambiguous") if "on_ambiguous" in fields else None
    return Policy(
        purpose=cast("Literal['marketing', 'transactional']", purpose),
        topic=parse_id(fields["topic"]) if "topic" in fields else None,
        max_sends=fields["max_sends"].integer(1, 1000) if "max_sends" in fields else None,
        on_ambiguous=cast("Literal['hold', 'retry'] | None", ambiguous),
    )


def _step(node: Node, templates: Mapping[str, Template | None], positions: dict[str, Node]) -> Step | None:
    fields = node.fields(("id", *_VERBS), required=("id",), later=later.VERBS)
    verbs = [verb for verb in _VERBS if verb in fields]
    name = parse_id(fields["id"]) if "id" in fields else ""
    if name and name in positions:
        fields["id"].fault(f"step id {shown(name)} is used twice")
    positions.setdefault(name, node)
    if len(verbs) != 1:
        # An unknown word was probably meant to be the verb.
        if node.is_a(dict) and (verbs or not node.value.keys() - {"id"}):
            node.fault(f"a step has exactly one verb of {', '.join(_VERBS)}")
        return None
    return _STEPS[verbs[0]](name, fields[verbs[0]], templates)


def _wait(name: str, node: Node, _templates: Mapping[str, Template | None]) -> Step | None:
    fields = node.fields(("for", "reset_by"), required=() if _has_later_wait(node) else ("for",), later=later.WAIT)
    reset_by = tuple(item.text() for item in fields["reset_by"].items()) if "reset_by" in fields else ()
    return Wait(id=name, duration=fields["for"].duration() if "for" in fields else 0, reset_by=reset_by)


def _has_later_wait(node: Node) -> bool:
    return node.is_a(dict) and not later.WAIT.isdisjoint(node.value)


def _send(name: str, node: Node, templates: Mapping[str, Template | None]) -> Step | None:
    fields = node.fields(("channels", "mode", "template", "expires"), ("channels", "template"), later.SEND)
    if "mode" in fields:
        fields["mode"].choice(("first_reachable",), "mode", later.SEND_MODES)
    expires = fields["expires"].duration(least=1) if "expires" in fields else None
    channels = parse_channels(fields["channels"]) if "channels" in fields else ()
    template = _template(fields["template"], name, templates) if "template" in fields else None
    if template is None:
        return None
    for locale, texts in template.locales.items():
        for channel in channels:
            if channel not in texts:
                fields["template"].fault(f"template `{template.id}` has no text for {channel} in locale {locale}")
    return Send(id=name, channels=channels, template=template, expires=expires)


def _template(node: Node, step: str, templates: Mapping[str, Template | None]) -> Template | None:
    if node.is_a(dict):
        return parse_inline_template(node, step)
    name = node.text()
    if name and name not in templates:
        node.fault(f"there is no file {shown(f'templates/{name}.yaml')}{suggestion(name, templates)}")
    return templates.get(name)


def _exit(name: str, node: Node, _templates: Mapping[str, Template | None]) -> Step | None:
    fields = node.fields(("reason",), required=("reason",))
    return Exit(id=name, reason=parse_id(fields["reason"]) if "reason" in fields else "")


_STEPS: dict[str, Callable[[str, Node, Mapping[str, Template | None]], Step | None]] = {
    "wait": _wait,
    "send": _send,
    "exit": _exit,
}
