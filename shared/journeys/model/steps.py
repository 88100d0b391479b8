"""What a run does, step by step."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.journeys.predicate import Channel, Condition, Expression
from shared.journeys.sending import Policy

Literals = str | int | float | bool | None
Value = Literals | Expression
"""What a file gives as it stands (``10``) or to be worked out (``{expr: event.properties.total}``)."""
OnFail = Literal["next", "exit"]
Mode = Literal["first_reachable", "preferred", "all"]


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """Texts in Liquid: ``locales[locale][channel][part]``. An inline template has the one locale ``default``."""

    id: str
    locales: dict[str, dict[str, dict[str, str]]]


class Until(msgspec.Struct, frozen=True, kw_only=True):
    """A local time to wait for.

    ``time`` (``HH:MM``) on one of ``days``; or on ``date``; or on the date in the trait ``property``, ``offset_days``
    from it, each year (``match: anniversary``) or that day (``exact``). ``latest`` ms from now is the longest wait.
    """

    time: str = "00:00"
    days: tuple[int, ...] = ()
    date: str | None = None
    property: str | None = None
    match: Literal["anniversary", "exact"] = "exact"
    offset_days: int = 0
    latest: int | None = None
    timezone: str = "contact"


class Wait(msgspec.Struct, frozen=True, kw_only=True, tag="wait"):
    """Stay for ``duration`` (ms), for the calendar ``span`` (``P1M``) or until a local time.

    Each of the events in ``reset_by`` starts it anew. ``jitter`` spreads runs over as many ms, each always the same.
    ``past``: what to do when the date to wait for is over already.
    """

    id: str
    duration: int | None = None
    span: str | None = None
    until: Until | None = None
    reset_by: tuple[str, ...] = ()
    jitter: int = 0
    past: Literal["continue", "exit"] = "continue"


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a ``wait_for`` waits for: an ``event`` (with ``where``) or a ``condition``; then ``then``."""

    id: str
    event: str | None = None
    where: Condition | None = None
    condition: Condition | None = None
    then: tuple[Step, ...] = ()


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag="wait_for"):
    """Stay until the first of ``any`` happens, at most ``timeout`` ms (None: for ever), then go on in its steps.

    ``since``: what happened from then on counts, also before this step was reached: from the ``step`` itself, from the
    ``entry`` of the run, or from when the step of that id was last entered.
    """

    id: str
    any: tuple[Awaited, ...]
    timeout: int | None = None
    timeout_then: tuple[Step, ...] = ()
    since: str = "step"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One way of a branch; ``condition`` None: else."""

    condition: Condition | None
    then: tuple[Step, ...]


class Branch(msgspec.Struct, frozen=True, kw_only=True, tag="branch"):
    """Go the first way whose condition holds; none: go on behind."""

    id: str
    cases: tuple[Case, ...]


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way of an experiment; its share is its ``weight`` among all."""

    id: str
    weight: int
    then: tuple[Step, ...] = ()


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """The variant with the most conversions of ``goal`` per entry takes every later contact.

    Decided ``after`` ms from the first contact of the experiment, once each variant has had ``min_samples`` contacts.
    """

    goal: str
    after: int
    min_samples: int = 100


class Experiment(msgspec.Struct, frozen=True, kw_only=True, tag="experiment"):
    """Go the way that a hash of the contact and ``salt`` picks: always the same one, until there is a winner."""

    id: str
    salt: str
    variants: tuple[Variant, ...]
    winner: Winner | None = None


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send"):
    """Send one message, worthless ``expires`` ms later.

    By the first of ``channels`` that reaches the contact, by the one that the contact prefers (trait
    ``preferred_channel``) before the others, or by ``all`` of them, each a message of its own. ``data`` is what the
    texts see as ``data``; ``locale`` goes before the contact's own. ``on_fail``: what to do when no message left.
    ``policy`` is the journey's with what this step says otherwise; None: the journey's.
    """

    id: str
    channels: tuple[Channel, ...]
    template: Template
    mode: Mode = "first_reachable"
    expires: int | None = None
    data: dict[str, Value] = {}
    locale: Value = None
    on_fail: OnFail = "next"
    policy: Policy | None = None


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Change what is known of the contact: traits, tags, consent."""

    id: str
    set: dict[str, Value] = {}
    increment: dict[str, float] = {}
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()


class Emit(msgspec.Struct, frozen=True, kw_only=True, tag="emit"):
    """Let an event of our own happen to the contact; it triggers journeys as any other does."""

    id: str
    event: str
    properties: dict[str, Value] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True, tag="call"):
    """Ask ``connector`` with the values ``arguments`` and stay until it answers, at most ``timeout`` ms.

    The answer is kept as ``context.<save_as>``. ``on_fail``: what to do on a refusal, an error or no answer.
    """

    id: str
    connector: str
    arguments: dict[str, Value] = {}
    save_as: str | None = None
    timeout: int = 60_000
    on_fail: OnFail = "next"


class Notify(msgspec.Struct, frozen=True, kw_only=True, tag="notify"):
    """Send one message to each of ``to``, people of ours (addresses, or texts worked out), not to the contact."""

    id: str
    channel: Literal["slack", "email"]
    to: tuple[Value, ...]
    template: Template


class Enrol(msgspec.Struct, frozen=True, kw_only=True, tag="enrol"):
    """Let the contact enter ``journey``, which has an ``api`` trigger, with ``context``."""

    id: str
    journey: str
    context: dict[str, Value] = {}


class Collect(msgspec.Struct, frozen=True, kw_only=True, tag="collect"):
    """Stay for ``duration`` ms or until ``most`` are there, and keep the events of that time for one message.

    The event that the run was entered by counts, if it is one. Of events with one value of ``by`` the last is kept. The
    list of their properties is ``context.<save_as>``.
    """

    id: str
    event: str
    duration: int
    save_as: str
    by: Expression | None = None
    most: int = 100


class Goto(msgspec.Struct, frozen=True, kw_only=True, tag="goto"):
    """Go on at ``step``; once that was entered ``max_visits`` times, go on behind instead."""

    id: str
    step: str
    max_visits: int | None = None


class Exit(msgspec.Struct, frozen=True, kw_only=True, tag="exit"):
    """The run ends here."""

    id: str
    reason: str


Step = Wait | WaitFor | Branch | Experiment | Send | Update | Emit | Call | Notify | Enrol | Collect | Goto | Exit


def blocks(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Return the blocks of steps inside ``step``, in the order of the file."""
    match step:
        case WaitFor():
            return (*(awaited.then for awaited in step.any), step.timeout_then)
        case Branch():
            return tuple(case.then for case in step.cases)
        case Experiment():
            return tuple(variant.then for variant in step.variants)
        case _:
            return ()


def all_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return every step of ``steps`` and of the blocks inside them, in the order of the file."""
    found: list[Step] = []
    for step in steps:
        found.append(step)
        for block in blocks(step):
            found.extend(all_steps(block))
    return tuple(found)
