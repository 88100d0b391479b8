"""Docstrings of the model as an editor shows them: in the words of the YAML, where durations are texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import getdoc

_SENTENCE = re.compile(r"(?<=[.;])\s+(?=[A-Z`])")
_WORDS = (
    (re.compile(r"``"), "`"),
    (re.compile(r"\(ms; None: (\w+)\)"), r"(left out: \1)"),
    (re.compile(r" \(ms\)|(?<=`) ms\b"), ""),
    (re.compile(r"as many ms"), "that time"),
    (re.compile(r"\bNone: "), "left out: "),
    (re.compile(r"\(None\)"), "(left out)"),
    (re.compile(r"\s+"), " "),
)


def prose(struct: type, keys: Mapping[str, str]) -> str:
    """Return what ``struct`` is; ``keys`` are the words of the fields that are written by another one."""
    text = getdoc(struct) or ""
    for found, instead in _WORDS:
        text = found.sub(instead, text)
    for field, key in keys.items():
        text = text.replace(f"`{field}`", f"`{key}`")
    return text.strip()


def sentences_about(text: str, key: str) -> str:
    """Return the sentences of ``text`` about ``key``, nothing where it is not named."""
    return " ".join(sentence for sentence in _SENTENCE.split(text) if f"`{key}`" in sentence).rstrip(";")
