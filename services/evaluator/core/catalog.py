"""The journeys that are live, indexed by what the engine looks up. Immutable; built once per change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import assert_never
from zoneinfo import ZoneInfo

import msgspec

from services.evaluator.core.audience_index import AudienceIndex, Edge, index_audiences
from services.evaluator.core.numbering import number_of
from services.evaluator.core.slots import Slot, slots_of, threshold_key
from shared.journeys.model import (
    AbsenceTrigger,
    ApiTrigger,
    Audience,
    AudienceTrigger,
    CalendarTrigger,
    DateTrigger,
    Definitions,
    EventTrigger,
    ExitAfter,
    ExitIf,
    ExitOnAudience,
    ExitOnEvent,
    Goal,
    InactivityTrigger,
    Journey,
    JourneyTrigger,
    ScheduleTrigger,
    Send,
    Step,
    ThresholdTrigger,
    Tracking,
    Wait,
    all_steps,
    blocks,
)
from shared.journeys.predicate import Condition, InJourney, MessageWas, Online, Performed
from shared.journeys.promises import InFlight, MinGap, NoSendAfter
from shared.journeys.sending import Policy
from shared.journeys.walk import (
    JOURNEY_EXITED,
    all_heard,
    awaited_as_performed,
    chained_to,
    conditions_of,
    looking_back,
    parts_of,
    policies_of,
)
from shared.walltime.zones import load_zone

UTC = ZoneInfo("UTC")

EntryTrigger = EventTrigger | ThresholdTrigger | JourneyTrigger
"""A trigger that one event may fulfil."""
ExitCheck = tuple[ExitOnEvent | ExitIf, Condition | None]
"""An exit rule and what must hold for it."""


NONE_STOPPED: Mapping[str, int] = {}
ANYBODY = Tracking()


class Plan(msgspec.Struct, frozen=True):
    """One journey version, ready to run: its steps by id, what follows each, and where each block begins.

    ``following`` None: the run ends behind that step. ``exits_at`` are the exit rules that an event of that name may
    fulfil, in their order; ``exits_asked`` those that every other event may. ``asked_about`` are the steps of whose
    messages some condition asks what became; ``goal_window`` and ``min_gap`` are how long its messages are remembered.
    ``marked`` are the steps of which some ``since`` asks when they were last entered.
    """

    journey: Journey
    steps: dict[str, Step]
    following: dict[str, str | None]
    first: str | None
    goal_window: int
    exits_at: dict[str, tuple[ExitCheck, ...]]
    exits_asked: tuple[ExitCheck, ...]
    asked_about: frozenset[str]
    marked: frozenset[str]
    min_gap: int

    def policy(self, step: Send) -> Policy:
        """Return what the messages of ``step`` may do: its own policy, or else the journey's."""
        return step.policy or self.journey.policy

    def into(self, step: Step, block: tuple[Step, ...]) -> str | None:
        """Return the first step of ``block`` inside ``step``, or what follows ``step`` when it is empty."""
        return block[0].id if block else self.following[step.id]


class Watcher(msgspec.Struct, frozen=True):
    """A trigger that waits for something not to happen; ``number`` is its place among its journey's triggers."""

    plan: Plan
    number: int
    trigger: InactivityTrigger | AbsenceTrigger

    @property
    def key(self) -> str:
        """The start of the keys of its watches."""
        return f"{self.plan.journey.id}/{self.number}"


class Dated(msgspec.Struct, frozen=True):
    """A trigger by time: each contact waits for its next occurrence, in a watch of key ``key``."""

    key: str
    plan: Plan
    trigger: DateTrigger | CalendarTrigger | ScheduleTrigger


class Catalog(msgspec.Struct, frozen=True):
    """Every journey version that may hold contacts, and the newest of each journey, which takes entries.

    ``entered_by`` are the triggers by an audience's edge, ``thresholds`` those by threshold by ``threshold_key``.
    ``history`` maps each event that some condition asks for to its slots: nothing else is kept. ``cap_window`` is the
    longest span that a frequency cap looks back; ``asked_ever`` are the journeys that some condition asks for the past
    of; ``asks_online`` says whether some condition asks when the contact was last active; ``audiences`` are those that
    some journey asks for; ``zone`` and ``locale`` are the workspace's. ``adopting`` are, by journey, the versions that
    take runs of older ones over or end them, in their order; ``stopped`` says until when the runs of a journey were
    ended by order. ``number`` tells catalogues apart that ask for other watches or audiences of a contact (0: for
    none), or stopped other runs; it is the same in every process. ``heard`` are the events that change something
    somewhere; ``chained`` the journeys whose ends start others. ``tracking`` says whose events are not applied.
    """

    plans: dict[tuple[str, int], Plan] = {}
    newest: dict[str, Plan] = {}
    triggered_by: dict[str, tuple[tuple[Plan, int, EntryTrigger], ...]] = {}
    backfilled: tuple[Plan, ...] = ()
    entered_by: dict[Edge, tuple[tuple[Plan, int, AudienceTrigger], ...]] = {}
    watched_by: dict[str, tuple[Watcher, ...]] = {}
    watched_from_first_sight: tuple[Watcher, ...] = ()
    watching: frozenset[str] = frozenset()
    dated: dict[str, Dated] = {}
    thresholds: dict[str, tuple[Plan, ThresholdTrigger]] = {}
    number: int = 0
    goals_on: dict[str, tuple[tuple[str, Goal], ...]] = {}
    history: dict[str, tuple[Slot, ...]] = {}
    cap_window: int = 0
    asked_ever: frozenset[str] = frozenset()
    zone: ZoneInfo = UTC
    audiences: AudienceIndex = AudienceIndex()
    locale: str | None = None
    asks_online: bool = False
    adopting: dict[str, tuple[Plan, ...]] = {}
    stopped: dict[str, int] = {}
    heard: frozenset[str] = frozenset()
    chained: frozenset[str] = frozenset()
    tracking: Tracking = Tracking()

    def plan(self, journey: str, version: int) -> Plan | None:
        """Return that version, or None when this catalogue does not hold it."""
        return self.plans.get((journey, version))


def catalog_of(definitions: Definitions) -> Catalog:
    """Return the catalogue of what a folder defines."""
    zone = load_zone(definitions.timezone)
    return build_catalog(
        definitions.journeys, zone, definitions.audiences, definitions.locale, tracking=definitions.tracking
    )


def build_catalog(  # noqa: PLR0912 - one branch per trigger
    journeys: Iterable[Journey],
    zone: ZoneInfo = UTC,
    audiences: Iterable[Audience] = (),
    locale: str | None = None,
    *,
    closed: Collection[str] = (),
    stopped: Mapping[str, int] = NONE_STOPPED,
    tracking: Tracking = ANYBODY,
) -> Catalog:
    """Return the catalogue of ``journeys``; of several versions of one journey the highest takes the entries.

    Journeys ``closed`` take none; runs of those ``stopped`` that were entered by that time end.
    """
    known = tuple(audiences)
    plans = {(journey.id, journey.version): _plan(journey) for journey in journeys}
    latest = {plan.journey.id: plan for _, plan in sorted(plans.items())}
    newest = {name: plan for name, plan in latest.items() if name not in closed}
    triggered: dict[str, list[tuple[Plan, int, EntryTrigger]]] = {}
    by_edge: dict[Edge, list[tuple[Plan, int, AudienceTrigger]]] = {}
    watched: dict[str, list[Watcher]] = {}
    first_sight: list[Watcher] = []
    dated: dict[str, Dated] = {}
    thresholds: dict[str, tuple[Plan, ThresholdTrigger]] = {}
    by_priority = sorted(newest.values(), key=lambda plan: (-plan.journey.entry.priority, plan.journey.id))
    for plan in by_priority:
        for number, trigger in enumerate(plan.journey.triggers):
            match trigger:
                case EventTrigger():
                    triggered.setdefault(trigger.event, []).append((plan, number, trigger))
                case JourneyTrigger():
                    triggered.setdefault(JOURNEY_EXITED, []).append((plan, number, trigger))
                case ApiTrigger():
                    pass  # found by its journey's id
                case ThresholdTrigger():
                    triggered.setdefault(trigger.event, []).append((plan, number, trigger))
                    thresholds[threshold_key(plan.journey.id, trigger)] = plan, trigger
                case InactivityTrigger():
                    for event in trigger.events:
                        watched.setdefault(event, []).append(Watcher(plan, number, trigger))
                    if trigger.start == "first_seen":
                        first_sight.append(Watcher(plan, number, trigger))
                case AbsenceTrigger():
                    for event in (trigger.after, trigger.missing):
                        watched.setdefault(event, []).append(Watcher(plan, number, trigger))
                case DateTrigger() | CalendarTrigger() | ScheduleTrigger():
                    key = f"{trigger.__struct_config__.tag}:{plan.journey.id}/{number}"
                    dated[key] = Dated(key, plan, trigger)
                case AudienceTrigger():
                    edge = Edge(trigger.audience, trigger.edge)
                    by_edge.setdefault(edge, []).append((plan, number, trigger))
                case _:
                    assert_never(trigger)
    live = [plan.journey for plan in plans.values()]
    asked = tuple(_parts(live))
    index = index_audiences(known, live)
    backfilled = tuple(plan for plan in by_priority if plan.journey.entry.backfill == "current")
    return Catalog(
        plans=plans,
        newest=newest,
        triggered_by={event: tuple(found) for event, found in triggered.items()},
        entered_by={edge: tuple(found) for edge, found in by_edge.items()},
        watched_by={event: tuple(found) for event, found in watched.items()},
        watched_from_first_sight=tuple(first_sight),
        watching=frozenset(watcher.key for watchers in watched.values() for watcher in watchers),
        dated=dated,
        thresholds=thresholds,
        backfilled=backfilled,
        number=number_of(
            {key: one.trigger for key, one in dated.items()},
            {key: trigger for key, (_, trigger) in thresholds.items()},
            zone,
            index,
            stopped,
            [(plan.journey.id, plan.journey.version) for plan in backfilled],
        ),
        stopped=dict(stopped),
        goals_on=_goals_on(latest.values()),
        history=slots_of(_asked(live, index)),
        cap_window=_cap_window(plans.values()),
        asked_ever=frozenset(part.id for part in asked if isinstance(part, InJourney) and part.state == "ever"),
        asks_online=any(isinstance(part, Online) for part in asked),
        zone=zone,
        audiences=index,
        locale=locale,
        adopting=_adopting(plans),
        heard=frozenset(all_heard(live, known)),
        chained=frozenset(name for plan in newest.values() for name in chained_to(plan.journey)),
        tracking=tracking,
    )


def watched_key(key: str) -> str:
    """Return the ``Watcher.key`` that the key of a watch begins with."""
    return "/".join(key.split("/", 2)[:2])


def _goals_on(plans: Iterable[Plan]) -> dict[str, tuple[tuple[str, Goal], ...]]:
    goals: dict[str, list[tuple[str, Goal]]] = {}
    for plan in plans:
        for goal in plan.journey.goals:
            goals.setdefault(goal.event, []).append((plan.journey.id, goal))
    return {event: tuple(found) for event, found in goals.items()}


def _plan(journey: Journey) -> Plan:
    following: dict[str, str | None] = {}
    names = {rule.event for rule in journey.exits if isinstance(rule, ExitOnEvent)}
    _link(journey.steps, None, following)
    return Plan(
        journey=journey,
        steps={step.id: step for step in all_steps(journey.steps)},
        following=following,
        first=journey.steps[0].id if journey.steps else None,
        goal_window=max((goal.window for goal in journey.goals), default=0),
        exits_at={name: tuple(_exit_checks(journey, name)) for name in names},
        exits_asked=tuple(_exit_checks(journey, None)),
        asked_about=frozenset(part.step for part in _parts([journey]) if isinstance(part, MessageWas)),
        min_gap=max((it.gap for it in journey.invariants if isinstance(it, MinGap)), default=0),
        marked=frozenset(step.since for step in looking_back(journey)) - {"entry"},
    )


def _exit_checks(journey: Journey, name: str | None) -> Iterator[ExitCheck]:
    """Yield what an event of that name may fulfil; None: an event that no exit rule names."""
    for rule in journey.exits:
        match rule:
            case ExitOnEvent():
                if rule.event == name:
                    yield rule, rule.where
            case ExitIf():
                yield rule, rule.condition
            case ExitAfter() | ExitOnAudience():
                pass
            case _:
                assert_never(rule)


def _link(block: tuple[Step, ...], after: str | None, following: dict[str, str | None]) -> None:
    """Note what follows each step: its next sibling, and behind the last one what follows the block."""
    for step, behind in zip(block, (*(later.id for later in block[1:]), after), strict=False):
        following[step.id] = behind
        for inner in blocks(step):
            _link(inner, behind, following)


def _parts(journeys: Iterable[Journey]) -> Iterator[Condition]:
    """Yield every condition of ``journeys``, those inside others too."""
    return (part for journey in journeys for condition in conditions_of(journey) for part in parts_of(condition))


def _asked(journeys: Iterable[Journey], index: AudienceIndex) -> Iterator[Condition]:
    """Yield the conditions that events are kept for: of journeys, of the audiences that they ask for.

    An invariant asks for its event as a condition does.
    """
    for journey in journeys:
        yield from conditions_of(journey)
        for step in looking_back(journey):
            yield from (awaited_as_performed(awaited) for awaited in step.any if awaited.event is not None)
        yield from (Performed(event=it.event) for it in journey.invariants if isinstance(it, NoSendAfter))
    for audience in index.order:
        yield audience.where


def _cap_window(plans: Iterable[Plan]) -> int:
    caps = (cap for plan in plans for policy in policies_of(plan.journey) for cap in policy.caps)
    return max((cap.per for cap in caps), default=0)


def _adopting(plans: Mapping[tuple[str, int], Plan]) -> dict[str, tuple[Plan, ...]]:
    found: dict[str, tuple[Plan, ...]] = {}
    for (journey, _), plan in sorted(plans.items()):
        if plan.journey.in_flight != InFlight():
            found[journey] = (*found.get(journey, ()), plan)
    return found


def resets(step: Step, event: str) -> bool:
    """Tell whether ``event`` starts the wait of ``step`` anew."""
    return isinstance(step, Wait) and event in step.reset_by
