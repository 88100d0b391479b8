"""Words of the journey language that this release does not have yet, by the place where they stand.

A word leaves this table when its parser row comes. Words that are in neither are unknown.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRIGGER_TYPES = _words("audience date calendar schedule api journey")
AGGREGATES = _words("rate")
ENTRY = _words("rate backfill window limit")
REENTRY = _words("max per")
REENTRY_MODES = _words("per_key")
ATTRIBUTIONS = _words("last_click any_send")
EXIT_RULE = _words("audience_left")
POLICY: frozenset[str] = frozenset()
CAPS = _words("inherit")
CONDITIONS = _words("aggregate in_audience message online")
PERFORMED: frozenset[str] = frozenset()
VERBS = _words("call notify enrol collect")
WAIT_FOR = _words("since")
EXPERIMENT = _words("winner")
SEND = _words("data locale on_fail purpose topic frequency_cap quiet_hours")
SEND_MODES = _words("preferred all")
TEMPLATE_PARTS = _words("mjml preheader")
