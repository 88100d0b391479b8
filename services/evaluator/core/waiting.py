"""Until when a ``wait`` lasts."""

from __future__ import annotations

from datetime import date

from services.evaluator.core.draft import Draft
from services.evaluator.core.local_time import contact_zone
from services.evaluator.core.state import Run
from shared.ids import short_hash
from shared.journeys.model import Until, Wait
from shared.walltime.anniversaries import next_occurrence, read_date
from shared.walltime.calendar_spans import add_span, parse_span
from shared.walltime.instants import at_local, next_time, parse_time


def wait_end(draft: Draft, run: Run, step: Wait) -> int | None:
    """Return when the wait that starts now ends; None: the date to wait for is past, or there is none."""
    if step.duration is not None:
        return draft.now + step.duration + _jitter(run, step)
    traits, workspace = draft.traits, draft.catalog.zone
    if step.span is not None:
        return add_span(draft.now, parse_span(step.span), contact_zone("contact", traits, workspace)) + _jitter(
            run, step
        )
    if step.until is None:
        return draft.now
    end = _until(draft, step.until)
    if end is not None and step.until.latest is not None:
        end = min(end, draft.now + step.until.latest)
    return None if end is None else end + _jitter(run, step)


def _until(draft: Draft, until: Until) -> int | None:
    traits = draft.traits
    where = contact_zone(until.timezone, traits, draft.catalog.zone)
    clock = parse_time(until.time)
    if until.date is not None:
        at = at_local(date.fromisoformat(until.date), clock, where)
        return at if at >= draft.now else None
    if until.property is not None:
        day = read_date(traits.get(until.property), where)
        if day is None:
            return None
        offset = until.offset_days
        # A moment that is exactly now is not past.
        found = next_occurrence(day, draft.now - 1, where, offset_days=offset, at_time=clock, match=until.match)
        return None if found is None else found.at
    return next_time(draft.now, clock, where, frozenset(until.days) or None, inclusive=True)


def _jitter(run: Run, step: Wait) -> int:
    return short_hash(f"{run.run_id}:{step.id}") % step.jitter if step.jitter else 0
