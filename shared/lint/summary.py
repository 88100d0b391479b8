"""What the linter knows of each journey, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from shared.journeys.durations import format_duration
from shared.journeys.flow.proofs import Study, verdicts
from shared.journeys.promises import Invariant, NoSendAfter
from shared.lint.folder import Linted
from shared.lint.together import all_weeks, meetings
from shared.lint.week import sends_marketing, worst_week
from shared.wording import counted

_HEAD = ("journey", "sends at most", "least gap", "lasts at most", "a week at most")


def explain(linted: Linted) -> Iterator[str]:
    """Yield the lines of the table, then of each journey what it promises, then what meets what."""
    if not linted.studies:
        return
    rows = [_HEAD, *(_row(known) for known in linted.studies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for known in linted.studies:
        for verdict in verdicts(known):
            yield f"{_name(known)}: {_invariant(verdict.invariant)} is {verdict.status}: {verdict.because}"
        if sends_marketing(known) and (week := worst_week(known)).most is not None:
            yield f"{_name(known)}: at most {counted(week.most, 'message')} a week: {week.because}"
    for event, journeys in meetings(linted.newest).items():
        order = ", ".join(f"{journey.id} (priority {journey.entry.priority})" for journey in journeys)
        yield f"`{event}` starts, in this order: {order}"
    together = all_weeks(linted.studies)
    most = "no bound" if together.most is None else f"at most {counted(together.most, 'message')}"
    yield f"all marketing, one contact, any seven days: {most}: {together.because}"


def _name(known: Study) -> str:
    return f"{known.journey.id}@{known.journey.version}"


def _row(known: Study) -> tuple[str, ...]:
    after = known.flow.exit_after
    longest = None if known.longest is None else known.longest.most
    lasts = min((most for most in (after, longest) if most is not None), default=None)
    week = worst_week(known).most
    return (
        _name(known),
        "not known" if known.sends is None else str(known.sends),
        _gap(known),
        "no bound" if lasts is None else format_duration(lasts),
        "no bound" if week is None else str(week),
    )


def _gap(known: Study) -> str:
    if known.unfolded is None:
        return "not known"
    return "-" if known.gap is None or (known.sends or 0) < 2 else format_duration(known.gap.elapsed)


def _invariant(invariant: Invariant) -> str:
    name = str(invariant.__struct_config__.tag)
    if isinstance(invariant, NoSendAfter):
        return f"`{name}: {invariant.event}`"
    value = getattr(invariant, invariant.__struct_fields__[0])
    return f"`{name}: {value if name == 'max_sends' else format_duration(value)}`"
