"""What an event does to the contact's runs, whether it comes from the log or is noticed here: one order for all."""

from __future__ import annotations

from services.evaluator.core.audience_index import Edge
from services.evaluator.core.audiences import judge_by_profile
from services.evaluator.core.draft import Draft
from services.evaluator.core.entry import enter_by_event, refuse_loop
from services.evaluator.core.exits import exit_by_audience, exit_by_event
from services.evaluator.core.goals import credit_goals
from services.evaluator.core.history import note_history
from services.evaluator.core.line import leave_line
from services.evaluator.core.steps import feed_waits
from services.evaluator.core.watches import feed_watches
from shared.journeys.model import EDGE_EVENTS

EDGES_AT_MOST = 20
"""Edges that one occurrence may lead to: journeys that put a contact in and out of audiences in a circle stop here."""


def happen(draft: Draft, name: str, *, first_sight: bool = False, edge: Edge | None = None) -> None:
    """Let the event that ``draft.event`` describes do what it does; ``edge`` is what it tells of, if it is our own."""
    catalog = draft.catalog
    left = edge.audience if edge is not None and edge.way == "left" else None
    if draft.touches:
        credit_goals(draft, name)
    if left is not None:
        exit_by_audience(draft, left)
    if draft.runs or draft.ended:
        exit_by_event(draft, name)
    if draft.watches:
        leave_line(draft, name, left)
    if draft.runs:
        feed_waits(draft, name)
    if first_sight or name in catalog.watched_by:
        feed_watches(draft, name, first_sight=first_sight)
    if edge is not None or name in catalog.triggered_by:
        enter_by_event(draft, name, edge)


def follow_edges(draft: Draft) -> None:
    """Let each audience that the contact has entered or left do what it does, and those that follow from that."""
    judge_by_profile(draft)
    cause = draft.cause
    if draft.edges:
        draft.now = draft.noticed_at
    for number in range(1, EDGES_AT_MOST + 1):
        if not draft.edges:
            return
        edge, *further = draft.edges
        draft.edges = tuple(further)
        # Of two edges with one cause each may start a run of the same journey.
        draft.cause = f"{cause}#{number}"
        name = EDGE_EVENTS[edge.way]
        draft.event = {"name": name, "properties": {"audience": edge.audience}}
        note_history(draft, name)
        happen(draft, name, edge=edge)
        judge_by_profile(draft)
    for edge in draft.edges:
        refuse_loop(draft, edge)
