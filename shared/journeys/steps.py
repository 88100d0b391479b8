"""Parses steps: one function per verb, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, cast

import msgspec

from shared.journeys import later
from shared.journeys.conditions import optional_condition, parse_channels, parse_condition, parse_expression
from shared.journeys.faults import shown, suggestion
from shared.journeys.ids import parse_id
from shared.journeys.model import (
    Awaited,
    Branch,
    Case,
    Emit,
    Exit,
    Experiment,
    Goto,
    Literals,
    Send,
    Step,
    Template,
    Until,
    Update,
    Variant,
    Wait,
    WaitFor,
)
from shared.journeys.predicate import Condition, Expression
from shared.journeys.reader import Node
from shared.journeys.templates import parse_inline_template
from shared.journeys.times import parse_calendar_span, parse_clock, parse_date, parse_days, parse_offset, parse_zone

_CONTACT = "contact."


class Reading(msgspec.Struct, frozen=True):
    """What reading steps needs: the ``templates`` there are, and where each step stands, which it notes."""

    templates: Mapping[str, Template | None]
    positions: dict[str, Node]


def parse_steps(node: Node, reading: Reading) -> tuple[Step, ...]:
    """Return a block of steps."""
    return node.each(lambda item: _step(item, reading))


def _block(fields: dict[str, Node], name: str, reading: Reading) -> tuple[Step, ...]:
    return parse_steps(fields[name], reading) if name in fields else ()


def _step(node: Node, reading: Reading) -> Step | None:
    fields = node.fields(("id", *_VERBS), required=("id",), later=later.VERBS)
    verbs = [verb for verb in _VERBS if verb in fields]
    name = parse_id(fields["id"]) if "id" in fields else ""
    if name and name in reading.positions:
        fields["id"].fault(f"step id {shown(name)} is used twice")
    reading.positions.setdefault(name, node)
    if len(verbs) != 1:
        # An unknown word was probably meant to be the verb.
        if node.is_a(dict) and (verbs or not node.value.keys() - {"id"}):
            node.fault(f"a step has exactly one verb of {', '.join(_VERBS)}")
        return None
    return _VERBS[verbs[0]](name, fields[verbs[0]], reading)


def _wait(name: str, node: Node, _reading: Reading) -> Step | None:
    fields = node.fields(("for", "until", "reset_by", "jitter", "past"))
    if ("for" in fields) == ("until" in fields):
        if node.is_a(dict):
            node.fault("`wait` has either `for` (a duration) or `until` (a local time)")
        return None
    span = "for" in fields and fields["for"].is_a(str) and fields["for"].value.startswith("P")
    if "past" in fields and "until" not in fields:
        fields["past"].fault("`past` belongs to a wait `until` a date")
    past = fields["past"].choice(("continue", "exit"), "past") if "past" in fields else "continue"
    return Wait(
        id=name,
        duration=fields["for"].duration() if "for" in fields and not span else None,
        span=parse_calendar_span(fields["for"]) if span else None,
        until=_until(fields["until"]) if "until" in fields else None,
        reset_by=tuple(item.text() for item in fields["reset_by"].items()) if "reset_by" in fields else (),
        jitter=fields["jitter"].duration() if "jitter" in fields else 0,
        past=cast("Literal['continue', 'exit']", past),
    )


def _until(node: Node) -> Until:
    fields = node.fields(("time", "days", "date", "property", "match", "offset", "latest", "timezone"))
    if node.is_a(dict) and not {"time", "date", "property"} & fields.keys():
        node.fault("`until` has at least one of time, date, property")
    if "date" in fields and ("property" in fields or "days" in fields):
        fields["date"].fault("a wait until a `date` has no `days` and no `property`")
    if "days" in fields and "property" in fields:
        fields["days"].fault("a wait until a `property` has no `days`")
    for name in ("match", "offset"):
        if name in fields and "property" not in fields:
            fields[name].fault(f"`{name}` belongs to a wait until a `property`")
    match = fields["match"].choice(("exact", "anniversary"), "match") if "match" in fields else "exact"
    return Until(
        time=parse_clock(fields["time"]) if "time" in fields else "00:00",
        days=parse_days(fields["days"]) if "days" in fields else (),
        date=parse_date(fields["date"]) if "date" in fields else None,
        property=_property(fields["property"]) if "property" in fields else None,
        match=cast("Literal['anniversary', 'exact']", match),
        offset_days=parse_offset(fields["offset"]) if "offset" in fields else 0,
        latest=fields["latest"].duration(least=1) if "latest" in fields else None,
        timezone=parse_zone(fields["timezone"]) if "timezone" in fields else "contact",
    )


def _property(node: Node) -> str:
    text = node.text()
    if text and not (text.startswith(_CONTACT) and text.removeprefix(_CONTACT).isidentifier()):
        node.fault(f"{shown(text)} is not a trait; write contact.NAME, such as contact.birthday")
    return text.removeprefix(_CONTACT)


def _wait_for(name: str, node: Node, reading: Reading) -> Step | None:
    fields = node.fields(("any", "timeout"), required=("any",), later=later.WAIT_FOR)
    if "any" in fields and fields["any"].value == []:
        fields["any"].fault("a `wait_for` waits for at least one thing")
    timeout: int | None = None
    then: tuple[Step, ...] = ()
    if "timeout" in fields:
        inner = fields["timeout"].fields(("after", "then"), required=("after",))
        timeout = inner["after"].duration(least=1) if "after" in inner else None
        then = _block(inner, "then", reading)
    return WaitFor(
        id=name,
        any=fields["any"].each(lambda item: _awaited(item, reading)) if "any" in fields else (),
        timeout=timeout,
        timeout_then=then,
    )


def _awaited(node: Node, reading: Reading) -> Awaited | None:
    fields = node.fields(("id", "event", "if", "where", "then"), required=("id",))
    if ("event" in fields) == ("if" in fields):
        if node.is_a(dict):
            node.fault("what is waited for is either an `event` or an `if`")
        return None
    if "where" in fields and "if" in fields:
        fields["where"].fault("`where` belongs to an `event`; join conditions with `all`")
    return Awaited(
        id=parse_id(fields["id"]) if "id" in fields else "",
        event=fields["event"].text() if "event" in fields else None,
        where=optional_condition(fields, "where"),
        condition=optional_condition(fields, "if"),
        then=_block(fields, "then", reading),
    )


def _branch(name: str, node: Node, reading: Reading) -> Step | None:
    items = node.items()
    for item in items[:-1]:
        if item.is_a(dict) and "else" in item.value:
            item.fault("`else` is the last way of a branch")
    if node.is_a(list) and not items:
        node.fault("a branch has at least one way")
    ways = (_case(item, reading) for item in items)
    return Branch(id=name, cases=tuple(way for way in ways if way is not None))


def _case(node: Node, reading: Reading) -> Case | None:
    fields = node.fields(("if", "then", "else"))
    if fields.keys() not in ({"if", "then"}, {"else"}):
        if node.is_a(dict):
            node.fault("a way of a branch is `if` with `then`, or `else`")
        return None
    if "else" in fields:
        return Case(condition=None, then=_block(fields, "else", reading))
    condition: Condition | None = parse_condition(fields["if"])
    then = _block(fields, "then", reading)
    return None if condition is None else Case(condition=condition, then=then)


def _experiment(name: str, node: Node, reading: Reading) -> Step | None:
    fields = node.fields(("salt", "variants"), required=("salt", "variants"), later=later.EXPERIMENT)
    variants = fields["variants"].each(lambda item: _variant(item, reading)) if "variants" in fields else ()
    if "variants" in fields and fields["variants"].value == []:
        fields["variants"].fault("an experiment has at least one variant")
    if variants and sum(variant.weight for variant in variants) == 0:
        fields["variants"].fault("at least one variant needs a weight above 0")
    if len({variant.id for variant in variants}) != len(variants):
        fields["variants"].fault("a variant id is used twice")
    return Experiment(id=name, salt=fields["salt"].text() if "salt" in fields else "", variants=variants)


def _variant(node: Node, reading: Reading) -> Variant | None:
    fields = node.fields(("id", "weight", "then"), required=("id", "weight"))
    if not {"id", "weight"} <= fields.keys():
        return None
    weight = fields["weight"].integer(0, 10_000)
    return Variant(id=parse_id(fields["id"]), weight=weight, then=_block(fields, "then", reading))


def _send(name: str, node: Node, reading: Reading) -> Step | None:
    fields = node.fields(("channels", "mode", "template", "expires"), ("channels", "template"), later.SEND)
    if "mode" in fields:
        fields["mode"].choice(("first_reachable",), "mode", later.SEND_MODES)
    expires = fields["expires"].duration(least=1) if "expires" in fields else None
    channels = parse_channels(fields["channels"]) if "channels" in fields else ()
    template = _template(fields["template"], name, reading.templates) if "template" in fields else None
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


def _update(name: str, node: Node, _reading: Reading) -> Step | None:
    known = ("set", "increment", "add_tags", "remove_tags", "subscribe", "unsubscribe")
    fields = node.fields(known)
    if node.is_a(dict) and not fields:
        node.fault(f"`update` has at least one of {', '.join(known)}")
    return Update(
        id=name,
        set=_values(fields["set"]) if "set" in fields else {},
        increment={key: child.number(-1e9, 1e9) for key, child in fields["increment"].pairs()}
        if "increment" in fields
        else {},
        add_tags=_texts(fields, "add_tags"),
        remove_tags=_texts(fields, "remove_tags"),
        subscribe=_texts(fields, "subscribe"),
        unsubscribe=_texts(fields, "unsubscribe"),
    )


def _texts(fields: dict[str, Node], name: str) -> tuple[str, ...]:
    return tuple(item.text() for item in fields[name].items()) if name in fields else ()


def _values(node: Node) -> dict[str, Literals | Expression]:
    """Return values by name: a text, number or bool as it stands, or ``{expr: …}`` for what is worked out."""
    found: dict[str, Literals | Expression] = {}
    for key, child in node.pairs():
        if child.is_a(dict):
            fields = child.fields(("expr",), required=("expr",))
            expression = parse_expression(fields["expr"]) if "expr" in fields else None
            if expression is not None:
                found[key] = expression
        elif child.is_a(list):
            child.fault("expected a text, a number, true or false, or {expr: …}")
        else:
            found[key] = child.value
    return found


def _emit(name: str, node: Node, _reading: Reading) -> Step | None:
    fields = node.fields(("event", "properties"), required=("event",))
    if "event" not in fields:
        return None
    properties = _values(fields["properties"]) if "properties" in fields else {}
    return Emit(id=name, event=fields["event"].text(), properties=properties)


def _goto(name: str, node: Node, _reading: Reading) -> Step | None:
    fields = node.fields(("step", "max_visits"), required=("step",))
    if "step" not in fields:
        return None
    visits = fields["max_visits"].integer(1, 1000) if "max_visits" in fields else None
    return Goto(id=name, step=fields["step"].text(), max_visits=visits)


def _exit(name: str, node: Node, _reading: Reading) -> Step | None:
    fields = node.fields(("reason",), required=("reason",))
    return Exit(id=name, reason=parse_id(fields["reason"]) if "reason" in fields else "")


_VERBS: dict[str, Callable[[str, Node, Reading], Step | None]] = {
    "wait": _wait,
    "wait_for": _wait_for,
    "branch": _branch,
    "experiment": _experiment,
    "send": _send,
    "update": _update,
    "emit": _emit,
    "goto": _goto,
    "exit": _exit,
}
