"""A journey: who enters, what counts, what ends a run."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.model.steps import Step
from shared.journeys.model.triggers import Trigger
from shared.journeys.predicate import Condition, Expression
from shared.journeys.promises import InFlight, Invariant
from shared.journeys.sending import Policy

ReentryMode = Literal["never", "after_exit", "always", "per_key"]
Attribution = Literal["last_send", "last_click", "any_send"]


class Reentry(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a contact may enter again, and how long after the last run ended (``cooldown``).

    ``never``: once per contact; ``after_exit``: not while inside; ``always``: also while inside; ``per_key``: once per
    instance key. At most ``max`` entries in any ``per`` ms (None: ever).
    """

    mode: ReentryMode = "after_exit"
    cooldown: int = 0
    max: int | None = None
    per: int | None = None


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``max`` entries of all contacts together in ``per`` ms; the others wait for their turn."""

    max: int
    per: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time in which the journey takes entries: from ``start`` to before ``end`` (ms; None: open)."""

    start: int | None = None
    end: int | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold for a trigger to start a run. ``key`` None: one run per contact; else one per value.

    ``backfill: current``: contacts that are in the triggering audience already when the journey is published enter too.
    ``limit``: entries of all contacts together, ever.
    """

    where: Condition | None = None
    key: Expression | None = None
    on_retrigger: Literal["ignore", "restart", "update_context"] = "ignore"
    reentry: Reentry = Reentry()
    priority: int = 50
    rate: Rate | None = None
    backfill: Literal["none", "current"] = "none"
    window: Window | None = None
    limit: int | None = None


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What the journey is for: ``event`` within ``window`` of a send counts as converted. It ends no run by itself.

    ``attribution``: the credit goes to the last message, to the last one that was clicked, or to each.
    """

    id: str
    event: str
    window: int
    primary: bool = False
    where: Condition | None = None
    attribution: Attribution = "last_send"
    value: Expression | None = None


class ExitOnEvent(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """The run ends the moment ``event`` is applied."""

    reason: str
    event: str
    where: Condition | None = None


class ExitIf(msgspec.Struct, frozen=True, kw_only=True, tag="if"):
    """The run ends at the first event of the contact at which ``condition`` holds."""

    reason: str
    condition: Condition


class ExitAfter(msgspec.Struct, frozen=True, kw_only=True, tag="after"):
    """The run ends ``after`` ms after it was entered."""

    reason: str
    after: int


class ExitOnAudience(msgspec.Struct, frozen=True, kw_only=True, tag="audience_left"):
    """The run ends the moment the contact leaves ``audience``."""

    reason: str
    audience: str


ExitRule = ExitOnEvent | ExitIf | ExitAfter | ExitOnAudience


class Journey(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable definition: ``id`` and ``version``. Whether it is live is not its business."""

    id: str
    version: int
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    name: str = ""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    entry: Entry = Entry()
    context: dict[str, Expression] = {}
    goals: tuple[Goal, ...] = ()
    exits: tuple[ExitRule, ...] = ()
    policy: Policy = Policy()
    in_flight: InFlight = InFlight()
    invariants: tuple[Invariant, ...] = ()
