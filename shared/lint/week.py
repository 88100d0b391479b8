"""How many messages of a journey one contact gets in a week, at worst: any seven days, several runs among them."""

from __future__ import annotations

import heapq
from itertools import count

import msgspec

from shared.clock import DAY
from shared.journeys.durations import format_duration
from shared.journeys.flow.proofs import Study
from shared.journeys.flow.unfold import State, Unfolded
from shared.journeys.model import Send
from shared.journeys.sending import Cap, Policy

WEEK = 7 * DAY
_MOST_LABELS = 50_000
"""Beyond so many ways to spend a week there is no number worth telling."""


class Week(msgspec.Struct, frozen=True):
    """At most ``most`` messages in any seven days, ``because`` of what; None: no number can be told."""

    most: int | None
    because: str


def worst_week(known: Study) -> Week:
    """Return the worst week of one contact in one journey, the frequency caps of its sends included."""
    if known.sends == 0:
        return Week(0, "it sends nothing")
    own = _own(known)
    capped = _capped(known)
    if capped is not None and (own.most is None or (capped.most or 0) < own.most):
        return capped
    return own


def marketing_caps(known: Study) -> list[Cap] | None:
    """Return, of each marketing send, the tightest cap over all of a contact's messages; None: one has no such cap."""
    found: list[Cap] = []
    for policy in _policies(known):
        if policy.purpose != "marketing":
            continue
        caps = [cap for cap in policy.caps if cap.scope == "contact" and cap.channel is None and cap.topic is None]
        if not caps:
            return None
        found.append(min(caps, key=bound))
    return found


def bound(cap: Cap) -> int:
    """Return how many messages ``cap`` lets through in a week at most."""
    return cap.max * -(-WEEK // cap.per)


def sends_marketing(known: Study) -> bool:
    """Tell whether any step of the journey sends marketing."""
    return any(policy.purpose == "marketing" for policy in _policies(known))


def _policies(known: Study) -> list[Policy]:
    return [known.flow.policy(step) for step in known.flow.steps.values() if isinstance(step, Send)]


def _capped(known: Study) -> Week | None:
    """Return what the caps leave, if each send has one that counts its own kind of message."""
    policies = _policies(known)
    best: list[Cap] = []
    for policy in policies:
        caps = [cap for cap in policy.caps if cap.channel is None and cap.topic in (None, policy.topic)]
        if policy.purpose != "marketing" or not caps:
            return None
        best.append(min(caps, key=bound))
    if len({policy.topic for policy in policies}) > 1 and any(cap.topic is not None for cap in best):
        return None  # each counts messages that the others do not
    loosest = max(best, key=bound)
    return Week(bound(loosest), f"the frequency cap of {loosest.max} per {format_duration(loosest.per)}")


def _own(known: Study) -> Week:
    """Return the worst week without caps."""
    entry = known.journey.entry
    if known.unfolded is None:
        return Week(None, "its loops turn too often to follow every way")
    if entry.key is not None:
        return Week(None, "each value of `entry.key` has runs of its own")
    if entry.reentry.mode == "always":
        return Week(None, "each trigger starts a run of its own (`reentry.mode: always`)")
    again = None
    if entry.on_retrigger == "restart":
        again = 0  # a run inside is replaced whatever `reentry` says
    elif entry.reentry.mode == "after_exit":
        again = entry.reentry.cooldown
    if again is not None and again + _first_send(known.unfolded) == 0:
        word = "on_retrigger" if entry.on_retrigger == "restart" else "reentry.cooldown"
        return Week(None, f"it sends at once and may be entered again at once (`{word}`)")
    most = _search(known, known.unfolded, again)
    return Week(most, "its waits and its `cooldown`" if most is not None else "its waits and `cooldown` are very short")


def _first_send(unfolded: Unfolded) -> int:
    """Return the least ms from entry to a message."""
    earliest = {unfolded.first: 0}
    found: list[int] = []
    for state in unfolded.states:
        if unfolded.flow.sends(state.step):
            found.append(earliest[state])
        for target, edge in unfolded.ways[state]:
            earliest[target] = min(earliest.get(target, earliest[state] + edge.least), earliest[state] + edge.least)
    return min(found, default=0)


def _search(known: Study, unfolded: Unfolded, again: int | None) -> int | None:
    """Return the most messages within a week from any message on; a run may end right behind each.

    ``again``: after so many ms the next run may begin; None: never.
    """
    flow, limit, order = known.flow, known.journey.policy.max_sends, count()
    starts = [state for state in unfolded.states if flow.sends(state.step)]
    best = labels = 0
    for start in starts:
        waiting: list[tuple[int, int, int, int, State]] = [(0, 0, next(order), 0, start)]
        seen: dict[tuple[State, int], int] = {}
        while waiting:
            elapsed, negative, _, in_run, state = heapq.heappop(waiting)
            if seen.get((state, in_run), -1) >= -negative:
                continue  # as many messages were there no later
            seen[state, in_run] = -negative
            labels += 1
            if labels > _MOST_LABELS:
                return None
            sent = -negative
            each = flow.sends(state.step) if limit is None or in_run < limit else 0
            sent, in_run = sent + each, in_run + each if limit is not None else 0
            best = max(best, sent)
            ways = [(target, edge.least, in_run) for target, edge in unfolded.ways[state]]
            if each and again is not None:
                ways.append((unfolded.first, again, 0))
            for target, least, runs in ways:
                if elapsed + least < WEEK:
                    heapq.heappush(waiting, (elapsed + least, -sent, next(order), runs, target))
    return best
