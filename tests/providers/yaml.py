"""A provider's case as ``providers.yaml`` says it, its secrets in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.dispatcher.channels.registry import KINDS


def providers_yaml(folder: Path, kind: str, channel: str, settings: Mapping[str, Any]) -> Path:
    """Write a file with one provider of ``channel``, which is ``kind`` with ``settings``, and return its path."""
    words = {word.name: word for word in KINDS[kind].words}
    entry: dict[str, Any] = {"kind": kind}
    for name, value in settings.items():
        form = words[name].form
        if form in ("secret", "secrets"):
            given = [value] if form == "secret" else list(value)
            files = [folder / f"{kind}-{name}-{number}" for number in range(len(given))]
            for file, secret in zip(files, given, strict=True):
                file.write_text(secret, encoding="utf-8")
            entry[name] = [{"file": str(file)} for file in files] if form == "secrets" else {"file": str(files[0])}
        elif form == "duration":
            entry[name] = f"{int(value)}s"
        else:
            entry[name] = list(value) if isinstance(value, tuple) else value
    # JSON is YAML.
    path = folder / "providers.yaml"
    path.write_text(json.dumps({"schema": "providers/v1", "channels": {channel: [entry]}}), encoding="utf-8")
    return path
