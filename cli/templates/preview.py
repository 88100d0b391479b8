"""What each channel of a template would get, and how that is printed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any

import msgspec

from services.ingest.links.pictures import draw
from shared.clock import from_iso
from shared.errors import ConfigurationError
from shared.journeys.faults import suggestion
from shared.journeys.locales import locale_chain, pick_locale
from shared.journeys.model import Template
from shared.rendering import TemplateError, render
from shared.rendering.countdown import Address, Countdown, placeholder

_ONE_LINE = ("subject", "title", "preheader", "url")


class Shown(msgspec.Struct, frozen=True):
    """One channel: the ``locale`` that its texts are from, and its parts, or why nobody would get them."""

    channel: str
    locale: str
    parts: dict[str, str] = {}
    error: str | None = None


def preview(
    template: Template, locales: Sequence[str | None], channel: str | None, data: Mapping[str, Any]
) -> list[Shown]:
    """Return what a contact would get with ``data``, by ``channel`` or, if None, by each.

    ``locales`` are the contact's and the workspace's.

    Raises ConfigurationError when the template has no such channel for that contact.
    """
    texts = pick_locale(template, *locales)
    if channel is not None and channel not in texts:
        raise ConfigurationError(f"template {template.id} has no text for {channel}{suggestion(channel, texts)}")
    return [_show(template, locales, name, data) for name in texts if channel in (None, name)]


def _show(template: Template, locales: Sequence[str | None], channel: str, data: Mapping[str, Any]) -> Shown:
    found = next(name for name in locale_chain(template, *locales) if channel in template.locales[name])
    try:
        return Shown(channel, found, render(template.locales[found][channel], data, _pictures(data)).parts)
    except TemplateError as error:
        return Shown(channel, found, error=str(error))


def _pictures(data: Mapping[str, Any]) -> Address:
    """Return what puts the pictures of countdowns into the text itself, as they are at the data's ``now``."""
    try:
        now = from_iso(str(data.get("now")))
    except ValueError:
        return placeholder

    def drawn(countdown: Countdown) -> str:
        return f"data:image/gif;base64,{b64encode(draw(countdown, countdown.deadline - now)).decode()}"

    return drawn


def as_text(template: Template, shown: list[Shown], *, invented: bool) -> str:
    """Return the messages for people; of HTML only its size."""
    lines = [f"{template.id}{', with invented data (yours: --data FILE)' if invented else ''}"]
    for message in shown:
        lines += ["", f"{message.channel} ({message.locale})", *(indent(line, "  ") for line in _lines(message))]
    return "\n".join(lines) + "\n"


def _lines(message: Shown) -> Iterator[str]:
    if message.error is not None:
        yield f"skipped, template_error: {message.error}"
    for part, text in message.parts.items():
        if part == "html":
            yield f"html: {len(text.encode()):,} bytes (--format html shows them)"
        elif part in _ONE_LINE:
            yield f"{part}: {text}"
        else:
            yield f"{part}:"
            yield indent(text.rstrip("\n"), "  ")


def as_html(template: Template, shown: list[Shown]) -> str:
    """Return the mail's HTML. Raises ConfigurationError when there is none."""
    for message in shown:
        if message.error is not None and message.channel == "email":
            raise ConfigurationError(f"{template.id}, email ({message.locale}): {message.error}")
        if "html" in message.parts:
            return message.parts["html"]
    raise ConfigurationError(f"template {template.id} has no HTML: its e-mail has neither `mjml` nor `html`")


def as_json(template: Template, shown: list[Shown], data: Mapping[str, Any], *, invented: bool) -> str:
    """Return all of it for programs, the data included."""
    channels = {
        message.channel: {"locale": message.locale}
        | ({"parts": message.parts} if message.error is None else {"error": message.error})
        for message in shown
    }
    found = {"template": template.id, "invented": invented, "data": data, "channels": channels}
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"
