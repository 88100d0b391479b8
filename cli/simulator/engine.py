"""Journeys over a log in memory and in virtual time, by the rules of time that the other hosts follow.

Before each arrival, virtual ticks fire every timer that is due earlier, in the order of due times and contacts; at
equal time the arrival goes first; what it arms overdue fires right after it. Delivery is assumed: a command is settled
as sent at the time of its decision, by an outcome that stands in the log as a dispatcher's would.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from services.dispatcher.core.rows import End, ended, with_channels
from services.evaluator.core.adoption import is_behind
from services.evaluator.core.advance import abandon, advance, next_timer
from services.evaluator.core.catalog import Catalog, catalog_of
from services.evaluator.core.effects import Advance
from services.evaluator.core.occurrence import Adopted, Applied, EventArrived
from services.evaluator.core.state import NEVER, ContactState
from services.evaluator.timers import DueIndex
from shared.clock import DAY
from shared.errors import PermanentError
from shared.ids import contact_key
from shared.journeys.model import Definitions, Journey
from shared.messages.answer import answer_of
from shared.messages.command import CallCommand, Cancel, CommandRecord, SendCommand
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event, EventRecord, Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome
from shared.rendering import TemplateError, render
from shared.rendering.roots import PLACEHOLDERS, with_links

AT_MOST = 400 * DAY
"""How long the clock runs on by itself after the last arrival: a year's occasion comes round in it, once."""
_OWN_RECORDS = 10_000
"""Records of our own at one instant: more means that journeys call each other for ever."""


class EndlessJourneyError(PermanentError):
    """Journeys cause each other's events without end, at one instant."""


class NobodyAskedError(PermanentError):
    """A connector is said to answer a call that was not made, or that was answered already."""


class Saying(msgspec.Struct, frozen=True):
    """What ``connector`` answers to a call: ``data``, or an ``error``. ``at`` None: the moment it is asked."""

    connector: str
    at: int | None = None
    data: Any = None
    error: str | None = None


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An event or enrolment, and when the log took it."""

    at: int
    event: Event | Enrolment

    @property
    def key(self) -> str:
        """The contact whose event it is."""
        return contact_key(self.event.user_id, self.event.anonymous_id) or ""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record of the log that the simulation made; ``key`` None: a tick."""

    at: int
    key: str | None
    message: EventRecord


class Decided(msgspec.Struct, frozen=True, gc=False):
    """One decision, with the log time at which it was made and what is known of its contact and run right after it."""

    record: JournalRecord
    log_time: int
    timezone: object = None
    next_timer_at: int | None = None


class Message(msgspec.Struct, frozen=True):
    """A command with its texts filled in; ``parts`` None: it was not sent."""

    command: SendCommand
    parts: dict[str, str] | None


class Failure(msgspec.Struct, frozen=True):
    """A record or timer that the engine could not apply: it alone is lost, as in production."""

    contact: str
    what: str
    error: str


class Simulator:
    """One partition in memory. ``arrive`` in arrival order, then ``run_on``; what came of it is in the attributes."""

    def __init__(
        self, defined: Definitions | Iterable[Journey], answers: Mapping[str, Sequence[Saying]] | None = None
    ) -> None:
        """Start at the beginning of time, with nobody known.

        ``answers`` are those that connectors give at once, one after another; the last is given again and again. A call
        without one waits to be heard, or for its time-out.
        """
        whole = defined if isinstance(defined, Definitions) else Definitions(journeys=tuple(defined))
        self.catalog: Catalog = catalog_of(whole)
        self.log_time = 0
        self.states: dict[str, ContactState] = {}
        self.log: list[Entry] = []
        self.decided: list[Decided] = []
        self.messages: dict[str, Message] = {}
        self.failures: list[Failure] = []
        self._answers = {name: deque(said) for name, said in (answers or {}).items() if said}
        self._asked: list[CallCommand] = []
        self._cancelled: dict[str, str] = {}
        self._own: deque[tuple[str, Applied | CommandRecord]] = deque()
        self._index = DueIndex()
        self._due: dict[str, int] = {}

    def adopt(self, catalog: Catalog) -> None:
        """Let ``catalog`` decide from now on; every contact that is known adopts it at once."""
        self.catalog = catalog
        for contact, state in [known for known in self.states.items() if is_behind(catalog, known[1])]:
            result = advance(catalog, state, Adopted(self.log_time))
            self._take(contact, result)
            self._arm(contact, result.state)

    def arrive(self, arrival: Arrival) -> None:
        """Apply ``arrival``, and before it everything that is due before it."""
        self.run_to(arrival.at)
        self.log_time = max(self.log_time, arrival.at)
        self._append(arrival.key, arrival.event)
        self._drain()

    def hear(self, said: Saying, at: int) -> None:
        """Let the connector answer the oldest call that waits for it. Raises NobodyAskedError."""
        self.run_to(at)
        self.log_time = max(self.log_time, at)
        waiting = next((command for command in self._asked if command.connector == said.connector), None)
        if waiting is None:
            raise NobodyAskedError(f"no call of {said.connector} waits for the answer that is given")
        self._asked.remove(waiting)
        self._append(waiting.contact, answer_of(waiting, self.log_time, data=said.data, error=said.error))
        self._drain()

    def run_to(self, before: int) -> None:
        """Fire every timer that is due before ``before``, each at a virtual tick right after its due time."""
        while (due := self._index.next_due()) < before:
            self._tick(due)

    def run_on(self, until: int | None = None) -> None:
        """Fire every timer that is due until ``until``, that instant included; None: all that come within AT_MOST."""
        self.run_to((self.log_time + AT_MOST if until is None else until) + 1)

    def _tick(self, due: int) -> None:
        contact = self._index.first(due + 1)
        assert contact is not None  # noqa: S101 - ``due`` is its
        if due >= self.log_time:
            self.log_time = due + 1
            self.log.append(Entry(self.log_time, None, Tick(partition=0)))
        self._fire(contact, self.states[contact])
        self._drain()

    def _append(self, contact: str, message: Applied) -> None:
        self.log.append(Entry(self.log_time, contact, message))
        state = self.states.get(contact) or ContactState(contact=contact)
        if self._index.next_due() < self.log_time:
            state = self._fire(contact, state)
        try:
            result = advance(self.catalog, state, EventArrived(message, self.log_time))
        except Exception as error:  # noqa: BLE001 - whatever one record does, the others go on (as in the processor)
            self.failures.append(Failure(contact, f"event {message.message_id}", type(error).__name__))
            return
        self._take(contact, result)
        self._fire(contact, result.state)

    def _fire(self, contact: str, state: ContactState) -> ContactState:
        """Fire the contact's timers that are due before the log time, those they arm included; returns its state."""
        while (due := next_timer(state, self.log_time)) is not None:
            try:
                result = advance(self.catalog, state, due)
            except Exception as error:  # noqa: BLE001 - a journey that raises loses its own run and no other
                self.failures.append(Failure(contact, f"journey {due.journey}", type(error).__name__))
                result = abandon(self.catalog, state, due)
            self._take(contact, result)
            state = result.state
        self._arm(contact, state)
        return state

    def _arm(self, contact: str, state: ContactState) -> None:
        due = max(0, state.next_due)
        self._index.set(contact, due, self._due.get(contact, NEVER))
        self._due[contact] = due

    def _take(self, contact: str, result: Advance) -> None:
        self.states[contact] = result.state
        for record in result.journal:
            self.decided.append(decided_in(record, result.state, self.log_time))
        for cancel in result.cancels:
            self._cancelled[cancel.command_id] = cancel.reason
            self._recall(contact, cancel)
        own: tuple[Event | Enrolment | CommandRecord, ...] = (*result.events, *result.commands)
        self._own.extend((contact, made) for made in own)
        self._own.extend(result.posted)

    def _drain(self) -> None:
        """Append what the engine said to itself, in order, until it has nothing more to say at this instant."""
        appended = 0
        while self._own:
            contact, made = self._own.popleft()
            appended += 1
            if appended > _OWN_RECORDS:
                raise EndlessJourneyError(
                    f"contact {contact}: journeys cause each other's events without end; put a wait between them"
                )
            if isinstance(made, SendCommand):
                self._append(contact, self._settle(made))
            elif isinstance(made, Event | Enrolment):
                # As it is read from a log: times and the like are texts there.
                self._append(contact, msgspec.json.decode(msgspec.json.encode(made), type=Event | Enrolment))
            elif isinstance(made, CallCommand):
                self._call(made)
            else:
                self._append(contact, made)

    def _call(self, command: CallCommand) -> None:
        """Answer ``command`` at once where that is known, else let it wait."""
        answers = self._answers.get(command.connector)
        if command.command_id in self._cancelled:
            reason = self._cancelled[command.command_id]
            self._append(command.contact, answer_of(command, command.decided_at, error=reason))
        elif answers:
            said = answers.popleft() if len(answers) > 1 else answers[0]
            self._append(command.contact, answer_of(command, command.decided_at, data=said.data, error=said.error))
        else:
            self._asked.append(command)

    def _recall(self, contact: str, cancel: Cancel) -> None:
        """Answer the call that ``cancel`` calls back, as a dispatcher would."""
        for command in [command for command in self._asked if command.command_id == cancel.command_id]:
            self._asked.remove(command)
            self._own.append((contact, answer_of(command, self.log_time, error=cancel.reason)))

    def _settle(self, command: SendCommand) -> Outcome:
        """Return the outcome of ``command``: sent, unless its run ended at once or its texts cannot be filled in."""
        usable = [name for name in command.channels if command.addresses.get(name) and command.content.get(name)]
        command = with_channels(command, usable or command.channels)
        parts, end = None, End("sent")
        if command.command_id in self._cancelled:
            end = End("skipped", self._cancelled[command.command_id])
        elif not usable:
            end = End("skipped", "unreachable")
        else:
            try:
                parts = render(command.content[usable[0]], with_links(command.data, PLACEHOLDERS)).parts
            except TemplateError as error:
                end = End("skipped", "template_error", str(error))
        self.messages[command.command_id] = Message(command, parts)
        return ended(command, end, command.decided_at)


def simulate(
    defined: Definitions | Iterable[Journey],
    arrivals: Iterable[Arrival],
    *,
    until: int | None = None,
    answers: Mapping[str, Sequence[Saying]] | None = None,
) -> Simulator:
    """Return what the journeys make of ``arrivals``, in arrival order; those after ``until`` do not come any more."""
    simulator = Simulator(defined, answers)
    for arrival in arrivals:
        if until is not None and arrival.at > until:
            break
        simulator.arrive(arrival)
    simulator.run_on(until)
    return simulator


def decided_in(record: JournalRecord, state: ContactState, log_time: int) -> Decided:
    """Return ``record`` with what ``state``, its contact right after it, tells of it."""
    timers = (timer.due for run in state.runs if run.run_id == record.run for timer in run.timers)
    next_timer_at = min(timers, default=None) if record.next_timer_at is None else record.next_timer_at
    return Decided(record, log_time, state.traits.get("timezone"), next_timer_at)
