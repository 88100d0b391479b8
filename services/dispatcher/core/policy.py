"""Whether a command may still be handed over: only what can have changed since the evaluator decided."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.messages.command import SendCommand

ClockName = Literal["journey", "machine"]

# A cancel's own reason is kept where it is one of the words of the journey language; any other names an exit.
_REASONS = frozenset({"journey_stopped", "expired", "suppressed", "no_consent", "erased"})


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known now. ``cancelled`` is the cancel's reason; ``quiet_until`` (journey time) ends the quiet hours."""

    cancelled: str | None = None
    journey_stopped: bool = False
    suppressed: bool = False
    quiet_until: int | None = None


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


def recheck(command: SendCommand, facts: Facts, now: int) -> Verdict:
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
    if facts.quiet_until is not None and facts.quiet_until > now and command.purpose == "marketing":
        return Defer(facts.quiet_until, "journey")
    return Deliver()
