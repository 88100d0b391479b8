"""docs/import.md names each option, field and code of ``kikkake import``."""

from __future__ import annotations

import re

import click

from cli.importing.command import TYPES, import_
from cli.importing.mapping import FIELDS
from tests.builders import ROOT
from tests.unit.docs.pages import first_words

PAGE = "docs/import.md"


def test_every_option_is_explained() -> None:
    options = {param.opts[0] for param in import_.params if isinstance(param, click.Option)}
    assert options == first_words(PAGE, "| option | default |")


def test_every_field_type_and_code_is_named() -> None:
    text = (ROOT / PAGE).read_text()
    assert set() == {name for name in (*FIELDS, *TYPES) if f"`{name}`" not in text}
    sources = "".join((ROOT / "cli/importing" / name).read_text() for name in ("lines.py", "mapping.py"))
    codes = set(re.findall(r'Fault\("(\w+)"', sources))
    assert codes == first_words(PAGE, "| code | meaning |")
