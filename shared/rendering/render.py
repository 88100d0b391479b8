"""The parts of one message with its data."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from liquid.exceptions import LiquidError

from shared.rendering.countdown import Address, addressed_by, placeholder
from shared.rendering.errors import TemplateError
from shared.rendering.liquid import MAX_SOURCE, compile_liquid, fill, first_line
from shared.rendering.mjml import compile_mjml
from shared.rendering.roots import rooted

MARKED_UP = frozenset({"html", "mjml"})
"""Parts that are HTML or become it: what is printed in them is escaped."""

_SINGLE_LINE = frozenset({"subject", "title", "preheader", "url", "name", "type", "cid"})
"""Parts, and words of an attachment, without a line break."""
_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
# Mail programs fill what a short preheader leaves of its line with the first words of the mail: blanks keep them away.
_BLANKS = "&#847;&zwnj;&nbsp;" * 60
_HIDDEN = "display:none;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px"


class Rendered(msgspec.Struct, frozen=True):
    """The texts of one message for one channel, by part: ``subject``, ``text``, ``html``, ... MJML has become html."""

    parts: dict[str, str]


def render(content: Mapping[str, str], data: Mapping[str, Any], address: Address = placeholder) -> Rendered:
    """Return ``content`` with ``data`` filled in. Pure: no clock, no files, the same on every machine.

    ``address`` says where pictures of countdowns are drawn.

    A variable that is missing or null must not be printed: nobody receives "Hello ,". It may be asked for (``if``) and
    replaced (``default``). Raises TemplateError, whose message names the part and never holds a value of ``data``.
    """
    known = rooted(data)
    with addressed_by(address):
        parts = {("html" if part == "mjml" else part): _part(part, source, known) for part, source in content.items()}
    if "preheader" in parts and "html" in parts:
        parts["html"] = _with_preheader(parts["html"], parts["preheader"])
    return Rendered(parts)


def _part(part: str, source: str, data: dict[str, Any]) -> str:
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{part}: the template is longer than {MAX_SOURCE} characters")
    if part == "mjml":
        source = compile_mjml(source)
    try:
        text = fill(compile_liquid(source, escape=part in MARKED_UP), data)
    except (LiquidError, RecursionError) as error:
        raise TemplateError(f"{part}: {first_line(error)}") from error
    except Exception as error:  # a filter given what it does not expect; its message may quote the data
        raise TemplateError(f"{part}: {type(error).__name__}") from error
    # A line break in a subject would start a header of the sender's choosing.
    return " ".join(text.split()) if part.rpartition(".")[2] in _SINGLE_LINE else text


def _with_preheader(page: str, preheader: str) -> str:
    """Put the line that mail programs show beside the subject where they look for it: first in the body, unseen."""
    body = _BODY.search(page)
    at = 0 if body is None else body.end()
    return f'{page[:at]}<div style="{_HIDDEN}">{html.escape(preheader)}{_BLANKS}</div>{page[at:]}'
