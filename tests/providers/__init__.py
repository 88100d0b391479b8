"""Each provider as the contract suite needs it: one file a kind, and a row here."""

from __future__ import annotations

from tests.providers.base import Case
from tests.providers.slack import SLACK
from tests.providers.webhook import WEBHOOK

CASES: dict[str, Case] = {case.kind: case for case in (SLACK, WEBHOOK)}
