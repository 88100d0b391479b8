"""Parses the steps that do something: ``send``, ``notify``, ``call``, ``update``, ``emit``, ``enrol``."""

from __future__ import annotations

from typing import Literal, cast

from shared.journeys.conditions import parse_channels, parse_expression
from shared.journeys.faults import shown, suggestion
from shared.journeys.ids import parse_id
from shared.journeys.locales import DEFAULT_LOCALE, locale_chain, missing_channels
from shared.journeys.model import Call, Emit, Enrol, Mode, Notify, OnFail, Send, Step, Template, Update, Value
from shared.journeys.policy import STEP, given
from shared.journeys.reader import Node
from shared.journeys.reading import Reading
from shared.journeys.sending import Policy
from shared.journeys.templates import parse_inline_template
from shared.journeys.workspace import Surroundings

_MODES = ("first_reachable", "preferred", "all")


def parse_send(name: str, node: Node, reading: Reading) -> Step | None:
    """Return the step ``send``."""
    known = ("channels", "mode", "template", "data", "locale", "expires", "on_fail", *STEP)
    fields = node.fields(known, required=("channels", "template"))
    channels = parse_channels(fields["channels"]) if "channels" in fields else ()
    template = _template(fields["template"], name, reading.around) if "template" in fields else None
    policy = _policy(fields, reading)
    mode = fields["mode"].choice(_MODES, "mode") if "mode" in fields else "first_reachable"
    expires = fields["expires"].duration(least=1) if "expires" in fields else None
    on_fail = _on_fail(fields)
    data = _values(fields["data"]) if "data" in fields else {}
    locale = _value(fields["locale"]) if "locale" in fields else None
    if template is None:
        return None
    _every_channel(fields["template"], template, channels)
    return Send(
        id=name,
        channels=channels,
        template=template,
        mode=cast("Mode", mode),
        expires=expires,
        data=data,
        locale=locale,
        on_fail=on_fail,
        policy=policy,
    )


def _every_channel(node: Node, template: Template, channels: tuple[str, ...]) -> None:
    """Note a fault for each channel that some contact would have no text for."""
    *_, first = chain = locale_chain(template)
    for channel in missing_channels(template, channels):
        where = first if len(chain) == 1 else f"{DEFAULT_LOCALE} or {first}"
        node.fault(f"template `{template.id}` has no text for {channel} in locale {where}")


def _policy(fields: dict[str, Node], reading: Reading) -> Policy | None:
    """Return what this step says otherwise than its journey, on top of that; None: nothing."""
    if not set(STEP) & fields.keys():
        return None
    if "topic" in fields:
        reading.around.check_topic(fields["topic"])
    return reading.around.policy(reading.policy, given(fields))


def _on_fail(fields: dict[str, Node]) -> OnFail:
    return cast("OnFail", fields["on_fail"].choice(("next", "exit"), "on_fail") if "on_fail" in fields else "next")


def _template(node: Node, step: str, around: Surroundings) -> Template | None:
    templates = around.templates
    if node.is_a(dict):
        return parse_inline_template(node, step, around.layouts)
    name = node.text()
    if name and name not in templates:
        node.fault(f"there is no file {shown(f'templates/{name}.yaml')}{suggestion(name, templates)}")
    return templates.get(name)


def parse_notify(name: str, node: Node, reading: Reading) -> Step | None:
    """Return the step ``notify``."""
    fields = node.fields(("channel", "to", "template"), required=("channel", "to", "template"))
    if not {"channel", "to", "template"} <= fields.keys():
        return None
    channel = cast("Literal['slack', 'email']", fields["channel"].choice(("slack", "email"), "channel"))
    to = tuple(map(_value, fields["to"].value if fields["to"].is_a(list) else [fields["to"]]))
    if not to:
        fields["to"].fault("expected at least one address")
    template = _template(fields["template"], name, reading.around)
    if template is None:
        return None
    _every_channel(fields["template"], template, (channel,))
    return Notify(id=name, channel=channel, to=to, template=template)


def parse_call(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``call``."""
    fields = node.fields(("connector", "with", "save_as", "timeout", "on_fail"), required=("connector",))
    if "connector" not in fields:
        return None
    return Call(
        id=name,
        connector=fields["connector"].text(),
        arguments=_values(fields["with"]) if "with" in fields else {},
        save_as=parse_id(fields["save_as"]) if "save_as" in fields else None,
        timeout=fields["timeout"].duration(least=1) if "timeout" in fields else 60_000,
        on_fail=_on_fail(fields),
    )


def parse_enrol(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``enrol``."""
    fields = node.fields(("journey", "context"), required=("journey",))
    if "journey" not in fields:
        return None
    context = _values(fields["context"]) if "context" in fields else {}
    return Enrol(id=name, journey=parse_id(fields["journey"]), context=context)


def parse_update(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``update``."""
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


def _values(node: Node) -> dict[str, Value]:
    """Return values by name."""
    return {key: _value(child) for key, child in node.pairs()}


def _value(node: Node) -> Value:
    """Return a text, number or bool as it stands, or ``{expr: …}`` for what is worked out."""
    if node.is_a(dict):
        fields = node.fields(("expr",), required=("expr",))
        return parse_expression(fields["expr"]) if "expr" in fields else None
    if node.is_a(list):
        node.fault("expected a text, a number, true or false, or {expr: …}")
        return None
    return cast("Value", node.value)


def parse_emit(name: str, node: Node, _reading: Reading) -> Step | None:
    """Return the step ``emit``."""
    fields = node.fields(("event", "properties"), required=("event",))
    if "event" not in fields:
        return None
    properties = _values(fields["properties"]) if "properties" in fields else {}
    return Emit(id=name, event=fields["event"].text(), properties=properties)
