"""Providers' feedback as it is posted, and what a site makes of it."""

from __future__ import annotations

import json
from typing import Any

from services.ingest.webhooks.feedback import Finder
from services.ingest.webhooks.feedback_kinds import Feedback
from services.ingest.webhooks.file import parse_webhooks
from shared.links.reference import reference_of
from shared.links.seals import Seals
from tests.unit.ingest.sites import NOW, Site

SEALS = Seals(["s" * 32])
COMMAND = "6a1f1f0e-8f0c-5b7e-8e0a-1c2d3e4f5a6b"
TAG = 77
REFERENCE = reference_of(SEALS, "u:aki", COMMAND, "email", TAG)
ABOUT = {"command_id": COMMAND[:18], "channel": "email", "address_tag": TAG}
"""What every event says of the message with that reference."""
ENVIRONMENT = {"HUSH": "hush", "LOGIN": "shop:hush"}


class Told(Site):
    """A site with the sources of a file; ``ignored`` counts what was about no message of ours."""

    def __init__(self, sources: str, environment: dict[str, str] | None = None) -> None:
        self.ignored: list[str] = []
        feedback = Feedback(Finder(SEALS, self.ignored.append), lambda: NOW)
        text = f"schema: webhooks/v1\nsources:\n  {sources}\n"
        super().__init__(hooks=parse_webhooks("webhooks.yaml", text, environment or ENVIRONMENT, feedback))

    def tell(self, body: Any, headers: dict[str, str] | None = None, source: str = "esp", query: str = "") -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(f"/v1/webhooks/{source}{query}", content=raw, headers=headers or {}).status_code

    @property
    def said(self) -> list[tuple[str, dict[str, Any]]]:
        """What was written: names, and the properties beside those of ``ABOUT``."""
        return [
            (event.name, {name: value for name, value in event.properties.items() if name not in ABOUT})
            for event in self.events
        ]
