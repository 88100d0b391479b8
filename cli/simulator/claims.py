"""Whether what a test expects is what was decided, and both in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from cli.simulator.decisions import effective, in_zone, said
from cli.simulator.engine import Decided, Simulator
from cli.simulator.scenario import (
    Calls,
    Claim,
    Emits,
    Exits,
    Form,
    NeverSends,
    NotEntered,
    Scenario,
    SendCount,
    Sends,
    Skips,
    TraitIs,
)
from cli.simulator.times import format_offset
from shared.messages.journal import Decision, JournalRecord

_MOST_LINES = 40
_TEXT = 300


class Trial(msgspec.Struct, frozen=True):
    """A scenario that has run."""

    scenario: Scenario
    simulator: Simulator

    @property
    def decided(self) -> list[Decided]:
        """What was decided, in its order, without messages that were not handed over."""
        return list(effective(self.simulator.decided))

    def of(self, *decisions: Decision) -> list[JournalRecord]:
        """Return the records of these decisions."""
        return [found.record for found in self.decided if found.record.decision in decisions]

    @property
    def traits(self) -> dict[str, object]:
        """What is known of the contact at the end."""
        state = self.simulator.states.get(f"u:{self.scenario.contact.id}")
        return {} if state is None else state.traits


def holds(claim: Claim, trial: Trial) -> bool:
    """Tell whether ``claim`` is true of ``trial``."""
    form = claim.form
    match form:
        case Sends():
            true = any(_is_at(form.at, sent) and _leaves(form, sent, trial) for sent in _sends(form.step, trial))
        case Exits():
            exits = [record for record in trial.of("exited") if record.reason == form.reason]
            true = any(_is_at(form.at, record) and _regretted(form, record, trial) for record in exits)
        case Skips():
            skips = [record for record in trial.of("skip") if record.step == form.step]
            true = any(_is_at(form.at, record) and record.reason == form.reason for record in skips)
        case NotEntered():
            true = any(_is_at(form.at, record) and record.reason == form.reason for record in trial.of("not_entered"))
        case NeverSends():
            true = not _sends(form.step, trial)
        case SendCount():
            true = len(_sends(form.step, trial)) == form.equals
        case Calls():
            calls = [record for record in trial.of("call") if record.detail.get("connector") == form.connector]
            true = any(_is_at(form.at, record) for record in calls)
        case Emits():
            emitted = [record for record in trial.of("emit") if record.detail.get("event") == form.event]
            true = any(_is_at(form.at, record) for record in emitted)
        case TraitIs():
            value = trial.traits.get(form.name)
            true = value == form.value and isinstance(value, bool) == isinstance(form.value, bool)
        case _:
            assert_never(form)
    return true


def explain(claim: Claim, trial: Trial) -> list[str]:
    """Return what ``claim`` expects and what was decided instead, line by line."""
    first, *rest = _actual(claim.form, trial)
    return [
        f"  expected  {_expected(claim.form, trial)}",
        f"  actual    {first}",
        *(f"            {more}" for more in rest),
    ]


def timeline(trial: Trial) -> list[str]:
    """Return what was decided, one decision a line."""
    start = trial.scenario.start
    rows = [(format_offset(found.record.at, start), said(found.record)) for found in trial.decided]
    if not rows:
        return ["nothing was decided"]
    width = max(len(offset) for offset, _ in rows)
    lines = [f"{offset:<{width}}  {said}" for offset, said in rows[:_MOST_LINES]]
    return lines if len(rows) <= _MOST_LINES else [*lines, f"and {len(rows) - _MOST_LINES} more"]


def _sends(step: str | None, trial: Trial) -> list[JournalRecord]:
    return [record for record in trial.of("send") if step in (None, record.step)]


def _is_at(at: int | None, record: JournalRecord) -> bool:
    return at is None or at == record.at


def _leaves(form: Sends, record: JournalRecord, trial: Trial) -> bool:
    if form.channel is not None and form.channel != record.channel:
        return False
    return form.contains is None or any(form.contains in text for text in _texts(record, trial).values())


def _texts(record: JournalRecord, trial: Trial) -> dict[str, str]:
    message = trial.simulator.messages.get(record.command_id or "")
    return {} if message is None or message.parts is None else message.parts


def _regretted(form: Exits, ended: JournalRecord, trial: Trial) -> bool:
    if form.regret is None:
        return True
    return set(form.regret) == {record.step for record in trial.of("regret") if record.run == ended.run}


def _expected(form: Form, trial: Trial) -> str:
    match form:
        case Sends():
            channel = f" by {form.channel}" if form.channel else ""
            contains = f", with `{form.contains}` in its texts" if form.contains is not None else ""
            text = f"send {form.step}{channel}{_when(form.at, trial)}{contains}"
        case Exits():
            regret = "" if form.regret is None else f", regret {', '.join(form.regret) or 'nothing'}"
            text = f"exited {form.reason}{_when(form.at, trial)}{regret}"
        case Skips():
            text = f"skip {form.step} {form.reason}{_when(form.at, trial)}"
        case NotEntered():
            text = f"not_entered {form.reason}{_when(form.at, trial)}"
        case NeverSends():
            text = f"never send {form.step or 'anything'}"
        case SendCount():
            text = f"send {form.step or 'anything'} {form.equals} times"
        case Calls():
            text = f"call {form.connector}{_when(form.at, trial)}"
        case Emits():
            text = f"emit {form.event}{_when(form.at, trial)}"
        case TraitIs():
            text = f"trait {form.name} is {form.value!r}"
        case _:
            assert_never(form)
    return text


def _when(at: int | None, trial: Trial) -> str:
    if at is None:
        return ""
    return f" at {format_offset(at, trial.scenario.start)} ({in_zone(at, trial.traits.get('timezone'))})"


def _actual(form: Form, trial: Trial) -> Sequence[str]:
    match form:
        case TraitIs():
            value = trial.traits.get(form.name)
            return [f"trait {form.name} is {value!r}", *timeline(trial)]
        case Sends(contains=str()):
            texts = [
                f"  {part}: {' '.join(text.split())[:_TEXT]}"
                for record in _sends(form.step, trial)
                for part, text in _texts(record, trial).items()
            ]
            return [*timeline(trial), *([f"the texts of {form.step}:", *texts] if texts else [])]
        case _:
            return timeline(trial)
