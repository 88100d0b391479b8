"""A contact's state while one occurrence is worked out on it."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from services.evaluator.core.audience_index import Edge
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.conditions import Scope
from services.evaluator.core.effects import Advance, Posted, Remark, TimerTally
from services.evaluator.core.recent import Recent
from services.evaluator.core.state import (
    Consent,
    ContactState,
    Coordination,
    Forward,
    Linked,
    Message,
    Passage,
    PendingCommand,
    Run,
    Sample,
    SentMark,
    Suppressed,
    Timer,
    Total,
    Touch,
    Watch,
)
from shared.clock import DAY
from shared.ids import derived_id
from shared.messages.command import Cancel, CommandRecord
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.journal import Decision, JournalRecord

NO_EVENT: dict[str, Any] = {}
_LATE = DAY
"""An event that comes later than this changes audiences and crosses thresholds when it comes, and not at its own time:
an import of old orders starts runs that begin now."""


class Draft:
    """Collects the changes and effects of one occurrence; ``finish`` makes the ``Advance`` of them.

    Its containers are replaced, never changed: they may be the state's own, and a savepoint is no more than what the
    slots hold.
    """

    __slots__ = (
        "_armed",
        "_cancelled",
        "_fired",
        "_journal",
        "_seq",
        "active_at",
        "adopted",
        "anonymous_id",
        "audiences",
        "been",
        "cancels",
        "catalog",
        "cause",
        "commands",
        "consent",
        "contact",
        "coordination",
        "edges",
        "ended",
        "entries",
        "event",
        "events",
        "forward",
        "historical",
        "history",
        "hops",
        "hops_since",
        "ids",
        "invalid_zones",
        "judged",
        "lately",
        "links",
        "log_time",
        "measures",
        "messages",
        "now",
        "occurred",
        "passages",
        "pending",
        "posted",
        "remarks",
        "runs",
        "samples",
        "sent",
        "state",
        "suppressed",
        "totals",
        "touches",
        "traits",
        "watches",
    )

    def __init__(self, catalog: Catalog, state: ContactState, *, now: int, log_time: int, cause: str) -> None:
        """``now`` is the time of the cause; ``log_time`` when it was decided; ``cause`` what the journal calls it."""
        self.catalog = catalog
        self.state = state
        self.now = now
        self.log_time = log_time
        self.cause = cause
        self.event: dict[str, Any] = NO_EVENT
        self.contact = state.contact
        self.traits: dict[str, Any] = state.traits
        self.consent: dict[str, Consent] = state.consent
        self.history: dict[str, tuple[int, ...]] = state.history
        self.ids: bytes = state.ids
        self.passages: dict[str, Passage] = state.passages
        self.lately: Recent = state.lately
        self.anonymous_id: str | None = state.anonymous_id
        self.been: tuple[str, ...] = state.been
        self.samples: dict[str, tuple[Sample, ...]] = state.samples
        self.coordination: Coordination | None = state.coordination
        self.measures: dict[str, tuple[Sample, ...]] = state.measures
        self.totals: dict[str, Total] = state.totals
        self.active_at: int = state.active_at
        self.links: dict[str, Linked] = state.links
        self.forward: Forward | None = state.forward
        self.adopted = state.adopted
        self.occurred: dict[str, tuple[str, ...]] = state.occurred
        self.invalid_zones = 0
        self.audiences: dict[str, bool] = state.audiences
        self.entries: dict[str, tuple[int, ...]] = state.entries
        self.messages: tuple[Message, ...] = state.messages
        self.suppressed: tuple[Suppressed, ...] = state.suppressed
        self.edges: tuple[Edge, ...] = ()
        self.judged = state.traits, state.consent, state.suppressed
        self.runs: dict[str, Run] = {run.run_id: run for run in state.runs}
        self.pending: tuple[PendingCommand, ...] = state.pending
        self.ended: tuple[Run, ...] = state.ended
        self.touches: tuple[Touch, ...] = state.touches
        self.sent: tuple[SentMark, ...] = state.sent
        self.watches: dict[str, Watch] = state.watches
        self.commands: tuple[CommandRecord, ...] = ()
        self.events: tuple[Event | Enrolment, ...] = ()
        self.posted: tuple[tuple[str, Posted], ...] = ()
        self.historical = False
        self.remarks: tuple[Remark, ...] = ()
        self.hops = 0
        self.hops_since = 0
        self.cancels: tuple[Cancel, ...] = ()
        self._journal: tuple[JournalRecord, ...] = ()
        self._seq = state.seq
        self._armed = self._cancelled = self._fired = 0

    @property
    def noticed_at(self) -> int:
        """The time of what the event makes true of the contact as a whole: the event's own, or if it is late now."""
        return self.log_time if self.log_time - self.now > _LATE else self.now

    def scope(self, run: Run | None = None, *, own: bool = False) -> Scope:
        """Return what conditions may look at now, for ``run`` or before entry.

        ``event`` is the one being applied; ``own``: the one that caused the entry, as the run's steps see it.
        """
        return Scope(
            now=self.now,
            catalog=self.catalog,
            known=self,
            runs=self.runs.values(),
            event=run.event if run is not None and (own or not self.event) else self.event,
            run=run,
        )

    def arm(self, run: Run, timer: Timer) -> Run:
        """Return ``run`` with ``timer`` added."""
        self._armed += 1
        return self.change(run, timers=(*run.timers, timer))

    def disarm(self, run: Run, kind: str, *, fired: bool = False) -> Run:
        """Return ``run`` without its timers of ``kind``; ``fired``: they came due, else they are cancelled."""
        kept = tuple(timer for timer in run.timers if timer.kind != kind)
        gone = len(run.timers) - len(kept)
        if fired:
            self._fired += gone
        else:
            self._cancelled += gone
        return self.change(run, timers=kept)

    def rearm(self, run: Run, timer: Timer) -> Run:
        """Return ``run`` with ``timer`` in the place of those of its kind, which are cancelled."""
        kept = [other for other in run.timers if other.kind != timer.kind]
        self._cancelled += len(run.timers) - len(kept)
        self._armed += 1
        return self.change(run, timers=(*kept, timer))

    def watch(self, watch: Watch) -> None:
        """Start ``watch``, or move it."""
        if watch.key in self.watches:
            self._cancelled += 1
        self._armed += 1
        self.watches = {**self.watches, watch.key: watch}

    def unwatch(self, key: str, *, fired: bool = False) -> None:
        """End a watch; ``fired``: it came due."""
        self.watches = {name: watch for name, watch in self.watches.items() if name != key}
        if fired:
            self._fired += 1
        else:
            self._cancelled += 1

    def post(self, key: str, record: Posted) -> None:
        """Send ``record`` to the row of another ``key``."""
        self.posted = (*self.posted, (key, record))

    def drop(self, run: Run) -> None:
        """Take ``run`` out, its timers with it."""
        self._cancelled += len(run.timers)
        self.runs = {name: inside for name, inside in self.runs.items() if name != run.run_id}

    def receive(self, run: Run) -> Run:
        """Put in a run of another contact, with its timers; returns it."""
        self._armed += len(run.timers)
        return self.keep(run)

    def start_afresh(self) -> None:
        """Forget the contact but for the commands that are not settled; its runs and watches have gone already."""
        fresh = ContactState(contact=self.contact)
        for name in _KNOWLEDGE:
            setattr(self, name, getattr(fresh, name))
        self.judged = self.traits, self.consent, self.suppressed

    def change(self, run: Run, **fields: Any) -> Run:
        """Return ``run`` with ``fields`` replaced."""
        return self.keep(msgspec.structs.replace(run, **fields))

    def keep(self, run: Run) -> Run:
        """Put ``run`` in, for the first time or in the place of what it was; returns it."""
        self.runs = {**self.runs, run.run_id: run}
        return run

    def remark(self, remark: Remark) -> None:
        """Note something of the record for those who watch the whole."""
        self.remarks = (*self.remarks, remark)

    def note(self, decision: Decision, journey: str, version: int, **fields: Any) -> None:
        """Write one decision into the journal."""
        self._seq += 1
        record = JournalRecord(
            id=derived_id("journal", self.contact, str(self._seq)),
            contact=self.contact,
            seq=self._seq,
            at=self.now,
            decision=decision,
            journey=journey,
            version=version,
            cause=self.cause,
            **fields,
        )
        self._journal = (*self._journal, record)

    def note_run(self, decision: Decision, run: Run, **fields: Any) -> None:
        """Write one decision about ``run`` into the journal."""
        self.note(decision, run.journey, run.version, run=run.run_id, **fields)

    @property
    def entered(self) -> list[str | None]:
        """The ids of the runs that were entered in this same advance; they may be over."""
        return [record.run for record in self._journal if record.decision == "entered"]

    def savepoint(self) -> tuple[Any, ...]:
        """Return what ``rewind`` brings this draft back to."""
        return _SLOTS(self)

    def rewind(self, before: tuple[Any, ...]) -> None:
        """Undo everything since ``before``."""
        for name, value in zip(self.__slots__, before, strict=True):
            setattr(self, name, value)

    def finish(self) -> Advance:
        """Return the next state with everything that follows."""
        return Advance(
            state=ContactState(  # by place: by name it takes three times as long, at every event
                self.contact,
                self._seq,
                self.traits,
                self.consent,
                self.history,
                self.state.seen,
                tuple(self.runs.values()),
                self.pending,
                self.touches,
                self.passages,
                self.state.recent,
                self.anonymous_id,
                self.ended,
                self.sent,
                self.been,
                self.watches,
                self.samples,
                self.coordination,
                self.measures,
                self.totals,
                self.active_at,
                self.links,
                self.forward,
                self.adopted,
                self.occurred,
                self.audiences,
                self.entries,
                self.messages,
                self.suppressed,
                self.ids,
                self.lately,
            ),
            commands=self.commands,
            cancels=self.cancels,
            journal=self._journal,
            events=self.events,
            posted=self.posted,
            timers=TimerTally(self._armed, self._fired, self._cancelled),
            invalid_zones=self.invalid_zones,
            remarks=self.remarks,
        )


_KNOWLEDGE = (
    "traits",
    "consent",
    "history",
    "passages",
    "lately",
    "anonymous_id",
    "been",
    "samples",
    "measures",
    "totals",
    "active_at",
    "occurred",
    "audiences",
    "entries",
    "messages",
    "suppressed",
    "ended",
    "sent",
    "touches",
    "links",
)
_SLOTS = attrgetter(*Draft.__slots__)
