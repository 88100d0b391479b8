"""Whether a command may still be handed over: only what can have changed since the evaluator decided."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.ids import short_hash
from shared.messages.command import CommandRecord, Hours, SendCommand
from shared.walltime.windows import closed_until, spread, window_of
from shared.walltime.zones import load_zone

ClockName = Literal["journey", "machine"]

# A cancel's own reason is kept where it is one of the words of the journey language; any other names an exit.
_REASONS = frozenset({"journey_stopped", "expired", "suppressed", "no_consent", "erased"})


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known now. ``cancelled`` is the cancel's reason."""

    cancelled: str | None = None
    journey_stopped: bool = False
    suppressed: bool = False


class Deliver(msgspec.Struct, frozen=True):
    """Hand it over."""


class Defer(msgspec.Struct, frozen=True):
    """Look again at ``until`` on ``clock``."""

    until: int
    clock: ClockName


class Drop(msgspec.Struct, frozen=True):
    """Never send it; ``reason`` is a reason code, ``detail`` says more."""

    reason: str
    detail: str | None = None


Verdict = Deliver | Defer | Drop


def recheck(command: CommandRecord, facts: Facts, now: int) -> Verdict:
    """Return what to do with ``command`` at journey time ``now``; the order of checks is the language's (§7)."""
    if facts.cancelled is not None:
        known = facts.cancelled in _REASONS
        return Drop(facts.cancelled) if known else Drop("exited", facts.cancelled)
    failed = (
        ("journey_stopped", facts.journey_stopped),
        ("expired", command.expires_at is not None and now >= command.expires_at),
        ("suppressed", facts.suppressed),
    )
    for reason, applies in failed:
        if applies:
            return Drop(reason)
    # A call disturbs nobody's sleep.
    hours_to_keep = command.hours if isinstance(command, SendCommand) else ()
    return next(
        (verdict for hours in hours_to_keep if (verdict := _closed(command, hours, now)) is not None), Deliver()
    )


def _closed(command: CommandRecord, hours: Hours, now: int) -> Verdict | None:
    """Return what ``hours`` make of the message now, whatever they were when it was decided; None: they allow it."""
    kind: Literal["quiet", "open"] = "quiet" if hours.reason == "quiet_hours" else "open"
    until = closed_until(now, window_of(kind, hours.start, hours.end, hours.days), load_zone(hours.zone))
    if until is None:
        return None
    if hours.when_closed != "defer":
        return Drop(hours.reason)
    return Defer(spread(until, short_hash(command.contact), hours.spread) if hours.spread else until, "journey")
