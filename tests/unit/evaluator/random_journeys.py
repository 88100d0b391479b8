"""Any journey there could be, small: its steps nested, with loops, and a policy."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import assume
from hypothesis import strategies as st

from shared.clock import DAY, HOUR, MINUTE
from shared.journeys.flow.graph import flow_of
from shared.journeys.flow.structure import restless
from shared.journeys.flow.unfold import unfold
from shared.journeys.model import (
    Awaited,
    Branch,
    Case,
    Entry,
    EventTrigger,
    Exit,
    ExitAfter,
    ExitIf,
    ExitOnEvent,
    ExitRule,
    Experiment,
    Goto,
    Journey,
    Reentry,
    Send,
    Step,
    Template,
    Until,
    Variant,
    Wait,
    WaitFor,
    all_steps,
    blocks,
)
from shared.journeys.predicate import Condition, Expression, Not, Performed
from shared.journeys.sending import Cap, Policy, QuietHours

TEXTS = Template(id="t", locales={"default": {"email": {"subject": "Hi", "text": "Hello"}}})
DURATIONS = st.sampled_from([0, 10 * MINUTE, HOUR, 5 * HOUR, DAY])
EVENTS = st.sampled_from(["Go", "X", "Y"])
ASKED: st.SearchStrategy[Condition] = st.sampled_from(
    [
        Performed(event="X"),
        Not(Performed(event="Y")),
        Performed(event="X", within=2 * HOUR),
        Expression("event.properties.n > 1"),
        Expression("contact.vip == true"),
    ]
)
MAIL: st.SearchStrategy[Step] = st.builds(
    Send,
    id=st.just(""),
    channels=st.just(("email",)),
    template=st.just(TEXTS),
    expires=st.sampled_from([None, None, 6 * HOUR]),
)
PAUSE: st.SearchStrategy[Step] = st.builds(
    Wait,
    id=st.just(""),
    duration=DURATIONS,
    jitter=st.sampled_from([0, 0, 20 * MINUTE]),
    reset_by=st.sampled_from([(), (), ("Y",)]),
)
LOOP: st.SearchStrategy[Step] = st.builds(Goto, id=st.just(""), step=st.just(""), max_visits=st.integers(1, 3))
LEAVES: st.SearchStrategy[Step] = st.one_of(
    MAIL,
    MAIL,
    PAUSE,
    PAUSE,
    LOOP,
    st.builds(
        Wait, id=st.just(""), until=st.builds(Until, time=st.just("18:00"), latest=st.sampled_from([None, 3 * HOUR]))
    ),
    st.builds(Wait, id=st.just(""), span=st.just("P1D")),
    st.builds(Exit, id=st.just(""), reason=st.just("over")),
)


def holding(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    block = st.lists(inner, max_size=3).map(tuple)
    awaited = st.one_of(
        st.builds(Awaited, id=st.just("a"), event=EVENTS, where=st.one_of(st.none(), ASKED), then=block),
        st.builds(Awaited, id=st.just("a"), condition=ASKED, then=block),
    )
    return st.one_of(
        st.builds(
            WaitFor,
            id=st.just(""),
            any=st.lists(awaited, min_size=1, max_size=2).map(tuple),
            timeout=st.sampled_from([None, 2 * HOUR, 0]),
        ),
        st.builds(
            Branch,
            id=st.just(""),
            cases=st.lists(st.builds(Case, condition=ASKED, then=block), min_size=1, max_size=2).map(tuple),
        ),
        st.builds(
            Experiment,
            id=st.just(""),
            salt=st.just("s"),
            variants=st.tuples(
                st.builds(Variant, id=st.just("a"), weight=st.just(1), then=block),
                st.builds(Variant, id=st.just("b"), weight=st.just(1), then=block),
            ),
        ),
    )


INNER = holding(st.one_of(MAIL, PAUSE, LEAVES))
BLOCKS = st.lists(st.one_of(MAIL, MAIL, PAUSE, PAUSE, LOOP, INNER, INNER, holding(INNER)), min_size=3, max_size=7).map(
    tuple
)
POLICIES = st.sampled_from(
    [
        Policy(purpose="transactional"),
        Policy(purpose="transactional", max_sends=2),
        Policy(topic="news"),
        Policy(topic="news", caps=(Cap(max=1, per=4 * HOUR, scope="journey"),)),
        Policy(topic="news", caps=(Cap(max=2, per=6 * HOUR, when_capped="defer", max_defer=DAY),)),
        Policy(topic="news", quiet_hours=QuietHours(start="21:00", end="08:00", max_defer=12 * HOUR)),
    ]
)
EXITS: st.SearchStrategy[tuple[ExitRule, ...]] = st.sampled_from(
    [
        (),
        (),
        (ExitAfter(reason="late", after=7 * HOUR),),
        (ExitOnEvent(reason="done", event="X"),),
        (ExitIf(reason="done", condition=Performed(event="Y")),),
    ]
)


@st.composite
def random_journeys(draw: st.DrawFn) -> Journey:
    """Any steps, with ids of their own and gotos to any of them; none that could turn without a wait, or too often."""
    steps = _each(draw(BLOCKS), _numbered())
    names = [step.id for step in all_steps(steps)]
    steps = _each(
        steps,
        lambda step: (
            msgspec.structs.replace(step, step=draw(st.sampled_from(names))) if isinstance(step, Goto) else step
        ),
    )
    journey = Journey(
        id="trip",
        version=1,
        triggers=(EventTrigger(event="Go"),),
        steps=steps,
        entry=Entry(reentry=Reentry(mode="always")),
        policy=draw(POLICIES),
        exits=draw(EXITS),
    )
    flow = flow_of(journey)
    assume(not list(restless(flow)) and unfold(flow) is not None)
    return journey


def _numbered() -> Callable[[Step], Step]:
    count = iter(range(1_000))
    return lambda step: msgspec.structs.replace(step, id=f"s{next(count)}")


def _each(steps: tuple[Step, ...], change: Callable[[Step], Step]) -> tuple[Step, ...]:
    """Return ``steps`` with ``change`` made to each, and to those inside."""
    return tuple(_inside(change(step), change) for step in steps)


def _inside(step: Step, change: Callable[[Step], Step]) -> Step:
    if not any(blocks(step)):
        return step
    replace = msgspec.structs.replace
    match step:
        case WaitFor():
            return replace(step, any=tuple(replace(one, then=_each(one.then, change)) for one in step.any))
        case Branch():
            return replace(step, cases=tuple(replace(one, then=_each(one.then, change)) for one in step.cases))
        case Experiment():
            return replace(step, variants=tuple(replace(one, then=_each(one.then, change)) for one in step.variants))
        case _:
            raise AssertionError(step)
