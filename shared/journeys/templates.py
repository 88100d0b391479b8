"""Template documents (``templates/<id>.yaml``) and the texts that a step holds inline."""

from __future__ import annotations

from shared.journeys.conditions import CHANNELS
from shared.journeys.document import read_document
from shared.journeys.faults import Fault, JourneyFaultsError, shown, suggestion
from shared.journeys.layout import Layout, Layouts
from shared.journeys.layouts import check_within
from shared.journeys.locales import DEFAULT_LOCALE
from shared.journeys.model import Template
from shared.journeys.reader import Node

SCHEMA = "template/v1"

PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "email": (("subject", "text"), ("preheader", "mjml", "html")),
    "push": (("title", "body"), ("url",)),
    "web_push": (("title", "body"), ("url",)),
    "line": (("text",), ("messages",)),
    "whatsapp": (("text",), ("content_sid", "content_variables")),
}
"""Channel to its required and its optional parts; every other channel has one part, ``text``."""
OF_MAILS = ("attachments", "layout")
"""The words of an e-mail that are no part of it."""
ATTACHMENT = ("name", "url", "data", "type", "cid")
"""The words of one of an e-mail's ``attachments``; what they say are the parts ``attachment.1.name`` and so on."""
_ATTACHMENTS_AT_MOST = 10


def parse_template(file: str, text: str, layouts: Layouts | None = None) -> Template:
    """Return the template in ``text``, whose mails may name ``layouts``.

    Raises JourneyFaultsError with every fault of the file.
    """
    faults: list[Fault] = []
    root = read_document(file, text, faults)
    template = None if root is None else _template(root, layouts or {})
    if faults or template is None:
        raise JourneyFaultsError(faults)
    return template


def parse_inline_template(node: Node, step: str, layouts: Layouts) -> Template:
    """Return the texts that step ``step`` holds itself."""
    return Template(id=step, locales={DEFAULT_LOCALE: _channels(node, DEFAULT_LOCALE, layouts)})


def _template(root: Node, layouts: Layouts) -> Template | None:
    fields = root.fields(("schema", "id", "locales"), required=("schema", "id", "locales"))
    if "schema" in fields:
        fields["schema"].choice((SCHEMA,), "schema")
    if not {"id", "locales"} <= fields.keys():
        return None
    locales = {str(locale): _channels(child, str(locale), layouts) for locale, child in fields["locales"].pairs()}
    if fields["locales"].value == {}:
        fields["locales"].fault("expected at least one locale")
    return Template(id=fields["id"].text(), locales=locales)


def _channels(node: Node, locale: str, layouts: Layouts) -> dict[str, dict[str, str]]:
    texts = {}
    for channel, child in node.fields(CHANNELS).items():
        required, optional = PARTS.get(channel, (("text",), ()))
        mail = OF_MAILS if channel == "email" else ()
        parts = child.fields((*required, *optional, *mail), required)
        layout = _layout(parts, layouts)
        if channel == "email":
            _markup(parts)
            parts |= _attachments(parts.pop("attachments", None))
        texts[channel] = {
            part: _text(part, text, ("", "") if layout is None else layout.around(locale, part))
            for part, text in parts.items()
        }
    return texts


def _layout(parts: dict[str, Node], layouts: Layouts) -> Layout | None:
    """Take the word ``layout`` out of ``parts`` and return what it names.

    None: nothing, or what has faults; then what would stand in it is taken out too, for nobody can say more of it.
    """
    node = parts.pop("layout", None)
    if node is None:
        return None
    name = node.text()
    if "mjml" not in parts:
        node.fault("a `layout` needs `mjml`: the sections that stand in it")
    if name and name not in layouts:
        node.fault(f"there is no file {shown(f'layouts/{name}.yaml')}{suggestion(name, layouts)}")
    found = layouts.get(name)
    if found is None:
        for part in ("mjml", "preheader"):
            parts.pop(part, None)
    return found


def _attachments(node: Node | None) -> dict[str, Node]:
    """Return the words of each attachment as parts of the message."""
    items = [] if node is None else node.items()
    if node is not None and len(items) > _ATTACHMENTS_AT_MOST:
        node.fault(f"{_ATTACHMENTS_AT_MOST} attachments at most")
    parts: dict[str, Node] = {}
    for number, item in enumerate(items, 1):
        words = item.fields(ATTACHMENT, ("name",))
        if words and len(words.keys() & {"url", "data"}) != 1:
            item.fault("an attachment has either a `url` or its `data`")
        parts |= {f"attachment.{number}.{word}": text for word, text in words.items()}
    return parts


def _markup(parts: dict[str, Node]) -> None:
    if "mjml" in parts and "html" in parts:
        parts["html"].fault("write either `mjml` or `html`, not both")
    if "preheader" not in parts:
        return
    if "mjml" not in parts and "html" not in parts:
        parts["preheader"].fault("a `preheader` needs `mjml` or `html` to stand in")
    elif "mjml" in parts and "<mj-preview" in str(parts["mjml"].value):
        parts["preheader"].fault("write either `preheader` or <mj-preview>, not both")


def _text(part: str, node: Node, around: tuple[str, str]) -> str:
    text = node.text()
    if not text:
        return text
    for slip in check_within(part, text, around):
        node.fault_at(slip.offset, slip.message)
    before, behind = around
    return f"{before}{text}{behind}"
