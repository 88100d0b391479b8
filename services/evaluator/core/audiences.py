"""Keeps the contact's audiences: judged at the event, or at the very moment at which a window closes; never polled.

A membership is about now: it is worked out for the log time, also when an event comes late. What follows from it has
the time of the event that changed it.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.evaluator.core.audience_index import Edge
from services.evaluator.core.closing import next_change
from services.evaluator.core.conditions import Scope, holds
from services.evaluator.core.draft import NO_EVENT, Draft
from services.evaluator.core.state import Watch
from shared.journeys.model import Audience

_WATCH = "@audience/"


def watches_audience(key: str) -> bool:
    """Tell whether ``key`` is that of a watch for a window of an audience."""
    return key.startswith(_WATCH)


def adopt_audiences(draft: Draft) -> None:
    """Work out anew which audiences the contact is in. No edge comes of it: it has not moved, the catalogue has.

    One that has done nothing yet comes into what holds for it with its first event.
    """
    index = draft.catalog.audiences
    for key in [key for key in draft.watches if watches_audience(key) and _audience_of(key) not in index.ids]:
        draft.unwatch(key)
    draft.audiences = {}
    for audience in index.order if draft.lately.packed else ():
        draft.audiences = {**draft.audiences, audience.id: holds(audience.where, _scope(draft))}
        _arm(draft, audience)


def judge_all(draft: Draft) -> None:
    """Judge every audience: two contacts have become one."""
    _judge(draft, draft.catalog.audiences.order)


def judge_by_event(draft: Draft, name: str, *, first_sight: bool) -> None:
    """Judge the audiences that the event being applied may change; at first sight all of them."""
    index = draft.catalog.audiences
    if first_sight:
        judge_all(draft)
    elif name in index.by_event:
        _judge(draft, index.by_event[name])
    judge_by_profile(draft)


def judge_by_profile(draft: Draft) -> None:
    """Judge the audiences that traits, consent or dead addresses may have changed since they were judged last."""
    traits, consent, suppressed = draft.judged
    if draft.traits is traits and draft.consent is consent and draft.suppressed is suppressed:
        return
    index = draft.catalog.audiences
    draft.judged = draft.traits, draft.consent, draft.suppressed
    by_traits = index.by_traits if draft.traits != traits or draft.suppressed != suppressed else ()
    by_consent = index.by_consent if draft.consent != consent else ()
    _judge(draft, (*by_traits, *by_consent))


def judge_by_time(draft: Draft, watch: Watch) -> None:
    """Judge the audience of ``watch``, whose window closes now, and those that ask about it."""
    _judge(draft, draft.catalog.audiences.after.get(_audience_of(watch.key), ()))


def _judge(draft: Draft, audiences: tuple[Audience, ...]) -> None:
    """Judge ``audiences``, and those whose window closes at this very moment: what one asks of another is of now."""
    if not audiences:
        return
    for audience in draft.catalog.audiences.ordered((*audiences, *_closing(draft))):
        inside = holds(audience.where, _scope(draft))
        was = draft.audiences.get(audience.id)
        if inside is not was:
            draft.audiences = {**draft.audiences, audience.id: inside}
        if inside is not (was or False):
            draft.edges = (*draft.edges, Edge(audience.id, "entered" if inside else "left"))
        _arm(draft, audience)


def _closing(draft: Draft) -> Iterator[Audience]:
    index = draft.catalog.audiences
    for audience in index.order:
        watch = draft.watches.get(_WATCH + audience.id)
        if watch is not None and watch.due <= draft.log_time:
            yield from index.after[audience.id]


def _arm(draft: Draft, audience: Audience) -> None:
    """Watch for the next moment at which the audience may change by itself."""
    key = _WATCH + audience.id
    due = next_change(audience.where, draft, draft.log_time)
    armed = draft.watches.get(key)
    if due is None and armed is not None:
        draft.unwatch(key)
    elif due is not None and (armed is None or armed.due != due):
        draft.watch(Watch(key, "", due, draft.log_time, NO_EVENT))


def _scope(draft: Draft) -> Scope:
    """Return what an audience may look at: the contact alone, as it is known now."""
    return Scope(now=draft.log_time, catalog=draft.catalog, known=draft, runs=(), event=NO_EVENT)


def _audience_of(key: str) -> str:
    return key.removeprefix(_WATCH)
