"""A folder of journeys in a few words, and what the linter says of it."""

from __future__ import annotations

from pathlib import Path

from shared.lint.folder import lint_folder

MAIL = "send: {channels: [email], template: {email: {subject: Hi, text: Hello}}}"


def journey(name: str, steps: str = "[{id: a, MAIL}]", **top: str) -> str:
    """Return a journey of one line a word, ``MAIL`` for a send. Line 4 is its trigger, 5 its policy, 6 its entry."""
    words = {
        "trigger": "{type: event, event: Signed Up}",
        "policy": "{purpose: transactional}",
        "entry": "{reentry: {cooldown: 30d}}",
        **top,
    }
    lines = [f"{word}: {text}" for word, text in words.items()]
    return "\n".join(["schema: journey/v1", f"id: {name}", "version: 1", *lines, f"steps: {steps}"]).replace(
        "MAIL", MAIL
    )


def told(folder: Path, *texts: str, catalogue: str | None = None) -> list[str]:
    """Return what is said of the journeys ``texts``, each ``file:line: severity: message``; files have numbers."""
    for number, text in enumerate(texts, start=1):
        (folder / f"{number}.yaml").write_text(text)
    if catalogue is not None:
        (folder / "catalogue.yaml").write_text(catalogue)
    return [f"{Path(one.file).stem}:{one.line}: {one.severity}: {one.message}" for one in lint_folder(folder).findings]
