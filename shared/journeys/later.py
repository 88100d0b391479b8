"""Words of the journey language that this release does not have yet, by the place where they stand.

A word leaves this table when its parser row comes. Words that are in neither are unknown.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


JOURNEY = _words("in_flight invariants")
TRIGGER = _words(
    "audience edge aggregate field within group_by is events for start after missing match property offset at timezone "
    "feb29 missed on_change calendar occasion cron journey outcome"
)
TRIGGER_TYPES = _words("audience threshold inactivity absence date calendar schedule api journey")
ENTRY = _words("rate backfill window limit")
REENTRY = _words("max per")
REENTRY_MODES = _words("always per_key")
ATTRIBUTIONS = _words("last_click any_send")
EXIT_RULE = _words("if audience_left")
POLICY = _words("holdout frequency_cap quiet_hours send_window")
CONDITIONS = _words("aggregate in_audience in_journey consent message online time bucket")
PERFORMED = _words("where since")
ROOTS = _words("trigger journey message now")
VERBS = _words("wait_for branch experiment update emit call notify enrol collect goto")
WAIT = _words("until past jitter")
SEND = _words("data locale on_fail purpose topic frequency_cap quiet_hours")
SEND_MODES = _words("preferred all")
TEMPLATE_PARTS = _words("mjml preheader")
