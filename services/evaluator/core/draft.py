"""A private, mutable copy of a contact's state on which one occurrence is worked out."""

from __future__ import annotations

from typing import Any

import msgspec

from services.evaluator.core.catalog import Catalog
from services.evaluator.core.conditions import Scope
from services.evaluator.core.effects import Advance, TimerTally
from services.evaluator.core.state import ContactState, PendingCommand, Run, SentMark, Timer, Touch
from shared.ids import derived_id
from shared.messages.command import Cancel, SendCommand
from shared.messages.event import Event
from shared.messages.journal import Decision, JournalRecord

NO_EVENT: dict[str, Any] = {}


class Draft:
    """Collects the changes and effects of one occurrence; ``finish`` makes the ``Advance`` of them.

    Only its own containers are changed, never those of the state it was made from.
    """

    __slots__ = (
        "_armed",
        "_cancelled",
        "_changes",
        "_fired",
        "_journal",
        "_seq",
        "cancels",
        "catalog",
        "cause",
        "commands",
        "ended",
        "event",
        "events",
        "hops",
        "log_time",
        "now",
        "pending",
        "runs",
        "sent",
        "state",
        "touches",
    )

    def __init__(self, catalog: Catalog, state: ContactState, *, now: int, log_time: int, cause: str) -> None:
        """``now`` is the time of the cause; ``log_time`` when it was decided; ``cause`` what the journal calls it."""
        self.catalog = catalog
        self.state = state
        self.now = now
        self.log_time = log_time
        self.cause = cause
        self.event: dict[str, Any] = NO_EVENT
        self.runs: dict[str, Run] = {run.run_id: run for run in state.runs}
        self.pending: dict[str, PendingCommand] = {command.command_id: command for command in state.pending}
        self.ended: dict[str, Run] = {run.run_id: run for run in state.ended}
        self.touches: list[Touch] = list(state.touches)
        self.sent: list[SentMark] = list(state.sent)
        self.commands: list[SendCommand] = []
        self.events: list[Event] = []
        self.hops = 0
        self.cancels: list[Cancel] = []
        self._changes: dict[str, Any] = {}
        self._journal: list[JournalRecord] = []
        self._seq = state.seq
        self._armed = 0
        self._cancelled = 0
        self._fired = 0

    def get(self, field: str) -> Any:
        """Return the state's ``field`` as it stands in this draft."""
        return self._changes[field] if field in self._changes else getattr(self.state, field)

    def set(self, field: str, value: Any) -> None:
        """Replace the state's ``field``."""
        self._changes[field] = value

    def scope(self, run: Run | None = None, *, own: bool = False) -> Scope:
        """Return what conditions may look at now, for ``run`` or before entry.

        ``event`` is the one being applied; ``own``: the one that caused the entry, as the run's steps see it.
        """
        state = msgspec.structs.replace(self.state, **self._changes) if self._changes else self.state
        return Scope(
            now=self.now,
            catalog=self.catalog,
            state=state,
            runs=frozenset(inside.journey for inside in self.runs.values()),
            event=run.event if run is not None and (own or not self.event) else self.event,
            run=run,
        )

    def arm(self, run: Run, timer: Timer) -> Run:
        """Return ``run`` with ``timer`` added."""
        self._armed += 1
        return self._keep(run, (*run.timers, timer))

    def disarm(self, run: Run, kind: str, *, fired: bool = False) -> Run:
        """Return ``run`` without its timers of ``kind``; ``fired``: they came due, else they are cancelled."""
        kept = tuple(timer for timer in run.timers if timer.kind != kind)
        gone = len(run.timers) - len(kept)
        if fired:
            self._fired += gone
        else:
            self._cancelled += gone
        return self._keep(run, kept)

    def drop(self, run: Run) -> None:
        """Take ``run`` out, its timers with it."""
        self._cancelled += len(run.timers)
        self.runs.pop(run.run_id, None)

    def _keep(self, run: Run, timers: tuple[Timer, ...]) -> Run:
        changed = msgspec.structs.replace(run, timers=timers)
        self.runs[run.run_id] = changed
        return changed

    def change(self, run: Run, **fields: Any) -> Run:
        """Return ``run`` with ``fields`` replaced."""
        changed = msgspec.structs.replace(run, **fields)
        self.runs[run.run_id] = changed
        return changed

    def note(self, decision: Decision, journey: str, version: int, **fields: Any) -> None:
        """Write one decision into the journal."""
        self._seq += 1
        contact = self.state.contact
        self._journal.append(
            JournalRecord(
                id=derived_id("journal", contact, str(self._seq)),
                contact=contact,
                seq=self._seq,
                at=self.now,
                decision=decision,
                journey=journey,
                version=version,
                cause=self.cause,
                **fields,
            )
        )

    def note_run(self, decision: Decision, run: Run, **fields: Any) -> None:
        """Write one decision about ``run`` into the journal."""
        self.note(decision, run.journey, run.version, run=run.run_id, **fields)

    def savepoint(self) -> dict[str, Any]:
        """Return what ``rewind`` brings this draft back to."""
        parts = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: part.copy() if isinstance(part, dict | list) else part for name, part in parts}

    def rewind(self, before: dict[str, Any]) -> None:
        """Undo everything since ``before``, which is good for one time."""
        for name, value in before.items():
            setattr(self, name, value)

    def finish(self) -> Advance:
        """Return the next state with everything that follows."""
        state = msgspec.structs.replace(
            self.state,
            seq=self._seq,
            runs=tuple(self.runs.values()),
            pending=tuple(self.pending.values()),
            touches=tuple(self.touches),
            ended=tuple(self.ended.values()),
            sent=tuple(self.sent),
            **self._changes,
        )
        return Advance(
            state=state,
            commands=tuple(self.commands),
            cancels=tuple(self.cancels),
            journal=tuple(self._journal),
            events=tuple(self.events),
            timers=TimerTally(self._armed, self._fired, self._cancelled),
        )
