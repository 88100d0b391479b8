"""Contacts that wait for their turn to enter a journey with a ``rate`` or a ``limit``: each keeps a ``Watch``."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

import msgspec

from services.evaluator.core.catalog import Plan
from services.evaluator.core.conditions import holds
from services.evaluator.core.draft import Draft
from services.evaluator.core.exits import passage_key
from services.evaluator.core.state import NEVER, Watch
from shared.ids import derived_id
from shared.journeys.model import Entry, ExitAfter, ExitIf, ExitOnAudience, ExitOnEvent, ExitRule
from shared.messages.coordination import Ask, Reply, journey_key

_LINE = "line:"  # no journey id has a colon, with which other watches begin
EXITED = "exited"
"""Reason of a contact that an exit rule took out of the line before it was its turn."""


def is_coordinated(entry: Entry) -> bool:
    """Tell whether a contact asks before it enters."""
    return entry.rate is not None or entry.limit is not None


def line_key(journey: str, key: str) -> str:
    """Return the key of the watch of a contact that stands in line."""
    return _LINE + passage_key(journey, key)


def in_line(watch: Watch) -> bool:
    """Tell whether ``watch`` is of a contact that stands in line."""
    return watch.key.startswith(_LINE)


def join_line(draft: Draft, plan: Plan, key: str) -> None:
    """Ask for a turn to enter; the run will be entered by the event and the cause of now."""
    journey = plan.journey
    name = line_key(journey.id, key)
    ask = Ask(
        message_id=derived_id("ask", draft.contact, name, draft.cause),
        contact=draft.contact,
        journey=journey.id,
        version=journey.version,
        at=draft.now,
    )
    draft.post(journey_key(journey.id), ask)
    draft.watch(
        Watch(
            name,
            journey.id,
            NEVER,
            draft.now,
            draft.event,
            draft.cause,
            ask.message_id,
            hops=draft.hops,
            hops_since=draft.hops_since,
        )
    )


def called(draft: Draft, reply: Reply) -> Watch | None:
    """Return the watch whose turn it is at once; None: it comes later, never, or nobody waits for ``reply``."""
    watch = next((one for one in draft.watches.values() if one.ask_id == reply.ask_id), None)
    if watch is None or watch.due != NEVER:
        return None
    if reply.verdict == "granted" and reply.turn_at > draft.now:
        draft.watch(msgspec.structs.replace(watch, due=reply.turn_at))
        return None
    draft.unwatch(watch.key)
    if reply.verdict == "granted":
        return watch
    draft.note("not_entered", reply.journey, reply.version, reason=reply.verdict)
    return None


def leave_line(draft: Draft, name: str, left: str | None = None, *, only: Collection[str] | None = None) -> None:
    """Take those out of the line whom an exit rule of their journey would end: what they wait for has come about.

    ``left`` is the audience that the contact leaves by the event. ``only``: the keys of the watches that it is applied
    to; None: all.
    """
    for watch in draft.watches.values():
        plan = draft.catalog.newest.get(watch.journey) if in_line(watch) else None
        if plan is None or draft.now < watch.since or (only is not None and watch.key not in only):
            continue
        if any(_ends(draft, rule, name, left) for rule in plan.journey.exits):
            draft.unwatch(watch.key)
            draft.note("not_entered", plan.journey.id, plan.journey.version, reason=EXITED)


def _ends(draft: Draft, rule: ExitRule, name: str, left: str | None) -> bool:
    match rule:
        case ExitOnEvent():
            return rule.event == name and holds(rule.where, draft.scope())
        case ExitOnAudience():
            return rule.audience == left
        case ExitIf() | ExitAfter():
            return False
        case _:
            assert_never(rule)
