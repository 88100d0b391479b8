"""The table of settings in docs/deploy.md. ``python -m tests.unit.deploy.settings_table`` writes it anew."""

from __future__ import annotations

import re

from pydantic.fields import FieldInfo

from tests.unit.deploy.files import PREFIX, ROOT, SETTINGS

DOCUMENT = ROOT / "docs" / "deploy.md"
_BEGIN, _END = "<!-- settings: begin -->", "<!-- settings: end -->"


def settings_table() -> str:
    """Return the table of every setting of every service."""
    readers: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for service, settings in SETTINGS.items():
        for name, field in settings.model_fields.items():
            readers.setdefault(name, []).append(service)
            fields[name] = field
    rows = ["| variable | read by | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        who = "all" if len(readers[name]) == len(SETTINGS) else ", ".join(readers[name])
        rows.append(f"| `{PREFIX}{name.upper()}` | {who} | {_literal(field.default)} | {field.description} |")
    return "\n".join(rows)


def written_table() -> str:
    """Return the table as it stands in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition(_BEGIN)[2].partition(_END)[0].strip()


def _literal(value: object) -> str:
    return "none" if value in (None, ()) else f"`{value}`"


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = f"{_BEGIN}\n{settings_table()}\n{_END}"
    DOCUMENT.write_text(re.sub(f"{_BEGIN}.*{_END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
