"""When to try again after a provider's temporary refusal: exponential back-off with full jitter, bounded."""

from __future__ import annotations

import msgspec

from shared.clock import DAY, HOUR, MINUTE, SECOND


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long to go on. ``attempts`` bounds refusals of this message, ``age`` the time since its first attempt.

    A provider that is down has refused nothing, so its absence counts towards ``age`` only: an outage of an hour
    delays messages, it does not fail them. It may be back at any time, so the window of its absence is shorter than
    that of refusals, which are meant: a mail server that greylists wants to be asked again in minutes to hours. Sixteen
    attempts take four hours on average; marketing is worth no more, though RFC 5321 (4.5.4.1) goes on for days.
    """

    base: int = 10 * SECOND
    longest: int = HOUR
    longest_away: int = 15 * MINUTE
    floor: int = SECOND // 2
    attempts: int = 16
    age: int = DAY


class RetryAt(msgspec.Struct, frozen=True):
    """Try again at ``at``, machine time."""

    at: int


class GiveUp(msgspec.Struct, frozen=True):
    """Never try this channel again for this message."""


class Setback(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: the message was refused for now, or (``refused`` False) nobody was there to ask.

    ``attempt`` counts the refusals including this one, ``since`` is the machine time of the first attempt, and
    ``retry_after`` what the provider asked for, in ms.
    """

    attempt: int
    since: int
    refused: bool = True
    retry_after: int | None = None


def next_attempt(setback: Setback, now: int, jitter: float, policy: RetryPolicy) -> RetryAt | GiveUp:
    """Return when to try again; ``jitter`` in [0, 1) picks the moment within the back-off's window.

    The window doubles with each refusal; while the provider is away it is as long as it has been away so far, which
    doubles too.
    """
    age = max(0, now - setback.since)
    if age >= policy.age or (setback.refused and setback.attempt >= policy.attempts):
        return GiveUp()
    window = policy.base << min(max(setback.attempt - 1, 0), 20) if setback.refused else max(policy.base, age)
    longest = policy.longest if setback.refused else policy.longest_away
    delay = max(policy.floor, int(min(window, longest) * jitter), setback.retry_after or 0)
    return RetryAt(now + delay)
