"""What a journey promises, held against every way through its steps."""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from shared.journeys.durations import format_duration
from shared.journeys.flow.after_event import send_after
from shared.journeys.flow.graph import Flow, flow_of
from shared.journeys.flow.measures import Longest, Way, least_gap, longest, most_sends, shown
from shared.journeys.flow.unfold import Unfolded, unfold
from shared.journeys.model import Journey, Send
from shared.journeys.promises import Invariant, MaxDuration, MaxSends, MinGap, NoSendAfter
from shared.journeys.sending import Policy

TOO_MANY = "its loops turn too often to follow every way; lower their `max_visits`"


class Verdict(msgspec.Struct, frozen=True):
    """Whether an invariant holds for every run, and why. ``open``: nothing could be shown, either way."""

    invariant: Invariant
    status: Literal["proved", "refuted", "open"]
    because: str


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of every run of a journey; times in ms. ``unfolded`` None: it has too many ways.

    ``sends``: at most so many, the policy's limit included; None: not known. ``gap`` None: not known, or no second
    message (``sends`` tells which).
    """

    journey: Journey
    flow: Flow
    unfolded: Unfolded | None
    way: Way | None
    sends: int | None
    gap: Way | None
    longest: Longest | None


def study(journey: Journey) -> Study:
    """Return what is known of the runs of ``journey``, whose steps have no faults."""
    flow = flow_of(journey)
    unfolded = unfold(flow)
    way = None if unfolded is None else most_sends(unfolded)
    known = [most for most in (None if way is None else way.sends, _limit(flow)) if most is not None]
    return Study(
        journey=journey,
        flow=flow,
        unfolded=unfolded,
        way=way,
        sends=min(known, default=None),
        gap=None if unfolded is None else least_gap(unfolded),
        longest=None if unfolded is None else longest(unfolded),
    )


def _limit(flow: Flow) -> int | None:
    """Return the most messages that the policy lets a run send; it counts each of a step that sends several."""
    return flow.journey.policy.max_sends


def verdicts(known: Study) -> tuple[Verdict, ...]:
    """Return what becomes of each invariant, in their order."""
    return tuple(verdict(known, invariant) for invariant in known.journey.invariants)


def verdict(known: Study, invariant: Invariant) -> Verdict:
    """Return whether ``invariant`` holds for every run."""
    match invariant:
        case MaxSends():
            return _max_sends(known, invariant)
        case MinGap():
            return _min_gap(known, invariant)
        case NoSendAfter():
            return _no_send_after(known, invariant)
        case MaxDuration():
            return _max_duration(known, invariant)
        case _:
            assert_never(invariant)


def _max_sends(known: Study, promised: MaxSends) -> Verdict:
    limit = _limit(known.flow)
    if limit is not None and limit <= promised.most:
        return Verdict(promised, "proved", f"`policy.max_sends: {known.journey.policy.max_sends}`")
    if known.way is None:
        return Verdict(promised, "open", TOO_MANY)
    if known.way.sends <= promised.most:
        return Verdict(promised, "proved", f"no way sends more than {known.way.sends}")
    because = (
        f"{shown(known.way.steps())} sends {known.way.sends}; take a send away or set `max_sends: {promised.most}` in"
        " `policy`"
    )
    return Verdict(promised, "refuted", because)


def _min_gap(known: Study, promised: MinGap) -> Verdict:
    if known.sends is not None and known.sends <= 1:
        return Verdict(promised, "proved", "no run sends a second message")
    asked = format_duration(promised.gap)
    if cap := _spaced(known.flow, promised.gap):
        return Verdict(promised, "proved", f"the frequency cap of 1 per {format_duration(cap)}")
    if known.unfolded is None:
        return Verdict(promised, "open", TOO_MANY)
    if known.gap is None:
        return Verdict(promised, "proved", "no run sends a second message")
    way = shown(known.gap.steps())
    if known.gap.elapsed >= promised.gap:
        return Verdict(promised, "proved", f"{way} takes {format_duration(known.gap.elapsed)} or more")
    because = (
        f"{way} may take {format_duration(known.gap.elapsed)}; wait longer between them or cap them: `frequency_cap:"
        f" [{{max: 1, per: {asked}, scope: journey}}]`"
    )
    return Verdict(promised, "refuted", because)


def _spaced(flow: Flow, gap: int) -> int | None:
    """Return the span of the caps that keep any two messages ``gap`` apart, if each send has one."""
    policies = [flow.policy(step) for step in flow.steps.values() if isinstance(step, Send)]
    if len({policy.topic for policy in policies}) > 1:
        return None  # a cap that counts one topic says nothing of the other's
    spans = [max((span for span in _caps(policy) if span >= gap), default=None) for policy in policies]
    found = [span for span in spans if span is not None]
    return min(found) if found and len(found) == len(spans) else None


def _caps(policy: Policy) -> tuple[int, ...]:
    """Return the spans of the caps that leave room for one message of any channel."""
    if policy.purpose != "marketing":
        return ()
    return tuple(
        cap.per for cap in policy.caps if cap.max == 1 and cap.channel is None and cap.topic in (None, policy.topic)
    )


def _no_send_after(known: Study, promised: NoSendAfter) -> Verdict:
    way = send_after(known.flow, promised.event)
    if way is None:
        return Verdict(promised, "proved", "every run that can still send ends at it")
    because = f"{shown(way)} still sends; add `{{reason: …, event: {promised.event}}}` to `exit`"
    return Verdict(promised, "refuted", because)


def _max_duration(known: Study, promised: MaxDuration) -> Verdict:
    after, asked = known.flow.exit_after, format_duration(promised.most)
    if after is not None and after <= promised.most:
        return Verdict(promised, "proved", f"an exit rule ends every run after {format_duration(after)}")
    if known.longest is None:
        return Verdict(promised, "open", TOO_MANY)
    most, way = known.longest.most, shown(known.longest.steps)
    if most is not None and most <= promised.most:
        return Verdict(promised, "proved", f"no way takes longer than {format_duration(most)}")
    takes = "may stay there without end" if most is None else f"may take {format_duration(most)}"
    because = f"{way} {takes}; add `{{reason: max_duration, after: {asked}}}` to `exit`"
    return Verdict(promised, "refuted", because)
