"""The checks before a message leaves, in their fixed order: the first that fails decides, every result is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from services.evaluator.core.addresses import addresses, is_suppressed
from services.evaluator.core.catalog import Plan
from services.evaluator.core.conditions import in_bucket
from services.evaluator.core.consent import allows
from services.evaluator.core.draft import Draft
from services.evaluator.core.invariants import broken_by_send
from services.evaluator.core.local_time import contact_zone
from services.evaluator.core.state import Run, SentMark
from shared.ids import short_hash
from shared.journeys.model import Send
from shared.journeys.predicate import Channel
from shared.journeys.sending import Cap
from shared.walltime.windows import closed_until, spread, window_of

Action = Literal["send", "skip", "defer", "exit"]


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a message: ``channels`` are those to try, best first; ``until`` is when to ask again."""

    action: Action
    reason: str = ""
    until: int = 0
    channels: dict[Channel, str] = {}
    checks: tuple[tuple[str, bool], ...] = ()
    detail: dict[str, Any] = {}


class _Refusal(msgspec.Struct, frozen=True):
    action: Action = "skip"
    until: int = 0
    max_defer: int | None = None
    detail: dict[str, Any] = {}


def judge(draft: Draft, plan: Plan, run: Run, step: Send, channels: Sequence[Channel]) -> Verdict:
    """Return whether a message of ``step`` may leave now by one of ``channels``.

    ``run.tried_at`` is when it was first asked, if before.
    """
    gate = _Gate(draft, plan, run, step, channels)
    first = gate.first
    checks: list[tuple[str, bool]] = []
    for reason, check in _ORDER:
        refusal = check(gate)
        checks.append((reason, refusal is None))
        if refusal is not None:
            action, reason_given = refusal.action, reason
            if action == "defer" and refusal.max_defer is not None and refusal.until > first + refusal.max_defer:
                action = "skip"
            if action == "defer" and step.expires is not None and refusal.until >= first + step.expires:
                action, reason_given = "skip", "expired"
            return Verdict(action, reason_given, refusal.until, checks=tuple(checks), detail=refusal.detail)
    return Verdict("send", channels=gate.channels, checks=tuple(checks))


class _Gate:
    """One message on its way through the checks; they narrow ``channels`` down."""

    def __init__(self, draft: Draft, plan: Plan, run: Run, step: Send, channels: Sequence[Channel]) -> None:
        self.draft = draft
        self.plan = plan
        self.run = run
        self.policy = plan.policy(step)
        self.step = step
        self.first = draft.now if run.tried_at is None else run.tried_at
        self.marketing = self.policy.purpose == "marketing"
        self.channels = addresses(draft.traits, channels)

    def expired(self) -> _Refusal | None:
        expires = self.step.expires
        return _Refusal() if expires is not None and self.draft.now >= self.first + expires else None

    def held_out(self) -> _Refusal | None:
        holdout = self.policy.holdout
        if holdout is None or not self.marketing:
            return None
        return _Refusal() if in_bucket(self.draft.contact, holdout.salt, holdout.percent) else None

    def unreachable(self) -> _Refusal | None:
        return None if self.channels else _Refusal()

    def suppressed(self) -> _Refusal | None:
        dead = self.draft.suppressed
        self.channels = {name: place for name, place in self.channels.items() if not is_suppressed(dead, name, place)}
        return None if self.channels else _Refusal()

    def no_consent(self) -> _Refusal | None:
        if self.marketing:
            known, topic = self.draft.consent, self.policy.topic
            self.channels = {name: place for name, place in self.channels.items() if allows(known, topic, name)}
        return None if self.channels else _Refusal()

    def max_sends(self) -> _Refusal | None:
        most = self.policy.max_sends
        return _Refusal() if most is not None and self.run.sends >= most else None

    def invariant(self) -> _Refusal | None:
        broken = broken_by_send(self.draft, self.plan, self.run, self.step)
        return None if broken is None else _Refusal(detail={"invariant": broken})

    def capped(self) -> _Refusal | None:
        if not self.marketing:
            return None
        while self.channels:
            first = next(iter(self.channels))
            full = self._full(first)
            if full is None:
                # What is full is no way out either, should the provider refuse the first.
                self.channels = {name: place for name, place in self.channels.items() if self._full(name) is None}
                return None
            cap, until = full
            if cap.when_capped != "next_channel":
                return _Refusal(cap.when_capped, until, cap.max_defer)
            self.channels.pop(first)
        return _Refusal()

    def quiet_hours(self) -> _Refusal | None:
        quiet = self.policy.quiet_hours
        if quiet is None or not self.marketing:
            return None
        draft = self.draft
        where = contact_zone(quiet.timezone, draft.traits, draft.catalog.zone, quiet.fallback_timezone)
        until = closed_until(draft.now, window_of("quiet", quiet.start, quiet.end, ()), where)
        if until is None:
            return None
        if quiet.spread:
            until = spread(until, short_hash(draft.contact), quiet.spread)
        return _Refusal(quiet.when_quiet, until, quiet.max_defer)

    def outside_window(self) -> _Refusal | None:
        window = self.policy.send_window
        if window is None or not self.marketing:
            return None
        where = contact_zone(window.timezone, self.draft.traits, self.draft.catalog.zone)
        until = closed_until(self.draft.now, window_of("open", window.start, window.end, window.days), where)
        return None if until is None else _Refusal(window.when_outside, until, window.max_defer)

    def _full(self, channel: Channel) -> tuple[Cap, int] | None:
        """Return the first cap without room for a message by ``channel``, and when it has room again."""
        for cap in self.policy.caps:
            until = self._full_until(cap, channel)
            if until is not None:
                return cap, until
        return None

    def _full_until(self, cap: Cap, channel: Channel) -> int | None:
        """Return when ``cap`` has room again for a message by ``channel``; None: it has room now."""
        if cap.channel not in (None, channel) or cap.topic not in (None, self.policy.topic):
            return None
        now = self.draft.now
        marks = sorted(mark.at for mark in self.draft.sent if now - cap.per < mark.at and self._counts(mark, cap))
        return None if len(marks) < cap.max else marks[len(marks) - cap.max] + cap.per

    def _counts(self, mark: SentMark, cap: Cap) -> bool:
        return (
            (cap.scope == "contact" or mark.journey == self.run.journey)
            and cap.channel in (None, mark.channel)
            and cap.topic in (None, mark.topic)
        )


_ORDER = (
    ("expired", _Gate.expired),
    ("held_out", _Gate.held_out),
    ("unreachable", _Gate.unreachable),
    ("suppressed", _Gate.suppressed),
    ("no_consent", _Gate.no_consent),
    ("max_sends", _Gate.max_sends),
    ("invariant", _Gate.invariant),
    ("capped", _Gate.capped),
    ("quiet_hours", _Gate.quiet_hours),
    ("outside_window", _Gate.outside_window),
)
