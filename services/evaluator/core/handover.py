"""An anonymous contact is handed over to the user that it turns out to be: once, whole, and its runs go on.

What names one of its runs later (the outcome of a message, the answer to a call) is forwarded; nothing else is: later
anonymous events of the device start a fresh profile.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from services.evaluator.core.consent import is_revoked, stated_channel
from services.evaluator.core.draft import Draft
from services.evaluator.core.entry import enter_by_watch
from services.evaluator.core.exits import exit_any, exit_by_consent, exit_by_event, exit_run, exit_stopped
from services.evaluator.core.experiments import ask_id
from services.evaluator.core.feedback import is_of_other_row
from services.evaluator.core.goals import credit_goals
from services.evaluator.core.line import leave_line
from services.evaluator.core.links import answered, keep_answer
from services.evaluator.core.merging import merge
from services.evaluator.core.occurrence import Applied
from services.evaluator.core.older import upgraded
from services.evaluator.core.own_events import announce_merge
from services.evaluator.core.profile import event_data
from services.evaluator.core.state import ContactState, Forward, Linked, Run
from services.evaluator.core.steps import feed_waits
from services.evaluator.core.thresholds import merge_thresholds
from services.evaluator.core.watches import feed_watches
from shared.ids import derived_id
from shared.journeys.model import Experiment
from shared.messages.answer import Answer
from shared.messages.coordination import Reply
from shared.messages.enrolment import Enrolment
from shared.messages.event import Event
from shared.messages.identity import Handover, Link
from shared.messages.outcome import Outcome

MERGED = "merged"
"""Reason of a run that both contacts had: the older goes on."""
MERGE_OVERFLOW = "merge_overflow"
"""Reason of a marketing run that arrived after more events than were kept for it: in doubt nothing is sent."""
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ContactState)  # what it reads may be of an older release


def hand_over(draft: Draft, link: Link) -> None:
    """Answer ``link``: with all that is known, to the first user who asks; with nothing to any other."""
    given = None
    if draft.forward is None and draft.contact.startswith("a:"):
        given = draft.finish().state
        _forget(draft, link.user, given)
    answer = Handover(
        message_id=derived_id("handover", link.message_id),
        contact=link.user,
        anonymous=draft.contact,
        at=draft.log_time,
        state=None if given is None else _ENCODER.encode(given),
    )
    draft.post(link.user, answer)


def tightened(answer: Handover) -> Handover:
    """Return of ``answer`` what a user must know whose row has no room for the rest.

    That is what stops messages or limits their number, and the runs, bare, for they are to end.
    """
    if answer.state is None:
        return answer
    given = upgraded(_DECODER.decode(answer.state))
    bare = ContactState(
        contact=given.contact,
        consent=given.consent,
        suppressed=given.suppressed,
        passages=given.passages,
        entries=given.entries,
        occurred=given.occurred,
        sent=given.sent,
        been=given.been,
        pending=given.pending,
        runs=tuple(_bare(run) for run in given.runs),
        ended=tuple(_bare(run) for run in given.ended),
    )
    return msgspec.structs.replace(answer, state=_ENCODER.encode(bare), tight=True)


def _bare(run: Run) -> Run:
    return msgspec.structs.replace(run, event={}, context={}, gathered={})


def _forget(draft: Draft, user: str, given: ContactState) -> None:
    """Leave a forwarding address and a fresh profile.

    Commands stay pending here as well: their outcomes come here, and until then their partition's marks are needed.
    """
    for run in given.runs:
        draft.drop(run)
    for key in given.watches:
        draft.unwatch(key)
    draft.start_afresh()
    names = {run.run_id for run in (*given.runs, *given.ended)} | {command.run_id for command in given.pending}
    names |= {watch.ask_id for watch in given.watches.values() if watch.ask_id}
    names |= {touch.run_id for touch in given.touches} | set(_asked(draft, given))
    draft.forward = Forward(user, tuple(sorted(names)))


def _asked(draft: Draft, given: ContactState) -> Iterator[str]:
    """Yield the ids of what runs have asked at experiments."""
    for run in given.runs:
        plan = draft.catalog.plan(run.journey, run.version)
        step = None if plan is None else plan.steps.get(run.step)
        if isinstance(step, Experiment):
            yield ask_id(run, step)


def forwarded_to(draft: Draft, record: Applied) -> str | None:
    """Return the user to whom ``record`` belongs because it names a run that was handed over; None: it stays here."""
    forward = draft.forward
    if forward is None:
        return None
    match record:
        case Outcome() | Answer() | Enrolment():
            name = record.run_id
        case Event():
            # What this row has sent since then it knows of; any other message was handed over.
            if is_of_other_row(draft, record.name, record.properties):
                return forward.to
            name = str(record.properties.get("run_id"))
        case Reply():
            name = record.ask_id
        case _:
            return None
    if name not in forward.names:
        return None
    if isinstance(record, Outcome | Answer):
        draft.pending = tuple(one for one in draft.pending if one.command_id != record.command_id)
    return forward.to


def take_over(draft: Draft, answer: Handover) -> None:
    """Take what ``answer`` brings; its runs first see what happened here while they were on their way.

    It is kept for a while if one of them is of a version that this partition has not been told of, or whose file this
    worker has yet to get: such a run could neither be exited nor go on.
    """
    link = draft.links.get(answer.anonymous)
    if link is None or (link.handover is not None and link.handover != answer.state):
        return  # a later answer brings nothing: who has asked first has it all
    given = None if answer.state is None else upgraded(_DECODER.decode(answer.state))
    early = given is not None and not link.answered and not answer.tight and _is_unknown(draft, given)
    if early and keep_answer(draft, answer):
        return
    link = answered(draft, answer.anonymous)
    if link is None or given is None:
        return
    arrived = merge(draft, given)
    crossed = merge_thresholds(draft, given)
    exit_stopped(draft, only=[run.run_id for run in arrived])
    for run in [run for run in arrived if run.run_id in draft.runs]:
        rival = _rival(draft, run)
        if rival is not None:
            exit_run(draft, max(run, rival, key=_age), MERGED)
    if link.overflowed or answer.tight:
        _give_up(draft, given, all_of_them=answer.tight)
    else:
        _catch_up(draft, link, given)
    announce_merge(draft, answer.anonymous)
    cause, event = draft.cause, draft.event
    for watch in crossed:
        enter_by_watch(draft, watch)
    draft.cause, draft.event = cause, event


def _is_unknown(draft: Draft, given: ContactState) -> bool:
    """Tell whether a run of ``given`` is of a version that is not known here."""
    return any(draft.catalog.plan(run.journey, run.version) is None for run in given.runs)


def _rival(draft: Draft, run: Run) -> Run | None:
    """Return the other run of the same journey and key, unless contacts may be in it more than once."""
    plan = draft.catalog.plan(run.journey, run.version)
    if plan is not None and plan.journey.entry.reentry.mode == "always":
        return None
    others = (other for other in draft.runs.values() if other.run_id != run.run_id)
    return next((other for other in others if (other.journey, other.key) == (run.journey, run.key)), None)


def _age(run: Run) -> tuple[int, str]:
    return run.entered_at, run.run_id


def _catch_up(draft: Draft, link: Linked, given: ContactState) -> None:
    """Apply what happened meanwhile to all that came, and to nothing that was here and has seen it."""
    arrived = [run.run_id for run in (*given.runs, *given.ended)]
    touched = {touch.run_id for touch in given.touches}
    now = draft.now
    for event in link.events:
        draft.now = min(event.timestamp, event.received_at, draft.log_time)
        draft.event = event_data(event)
        if event.type == "consent" and is_revoked(event):
            exit_by_consent(draft, str(event.properties.get("topic")), stated_channel(event), only=arrived)
        credit_goals(draft, event.name, only=touched)
        exit_by_event(draft, event.name, only=arrived)
        leave_line(draft, event.name, only=given.watches)
        feed_waits(draft, event.name, only=arrived)
        feed_watches(draft, event.name, first_sight=False, only=given.watches)
    draft.now = now


def _give_up(draft: Draft, given: ContactState, *, all_of_them: bool) -> None:
    """End what came for marketing, or ``all_of_them``: what it should have seen, or what it knew, is not known here."""
    for run in (*given.runs, *given.ended):
        plan = draft.catalog.plan(run.journey, run.version)
        if all_of_them or (plan is not None and plan.journey.policy.purpose == "marketing"):
            exit_any(draft, run, MERGE_OVERFLOW)
    for key in given.watches.keys() & draft.watches.keys():
        watch = draft.watches[key]
        plan = draft.catalog.newest.get(watch.journey)
        if plan is not None and not watch.occurrence and plan.journey.policy.purpose == "marketing":
            draft.unwatch(key)
