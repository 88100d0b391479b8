"""Evaluates conditions and expressions against one contact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any as Value
from typing import Protocol, assert_never

from services.evaluator.core.addresses import is_reachable
from services.evaluator.core.catalog import Catalog
from services.evaluator.core.consent import allows
from services.evaluator.core.local_time import contact_zone
from services.evaluator.core.measures import meets, value_of_samples, value_of_total, within
from services.evaluator.core.slots import history_key, kind_of, measure_key
from services.evaluator.core.state import Consent, Run, Sample, Suppressed, Total
from shared.expressions import compile_condition, compile_expression
from shared.ids import short_hash
from shared.journeys.model import Value as Given
from shared.journeys.predicate import (
    Aggregate,
    All,
    Any,
    Bucket,
    Condition,
    Consented,
    Expression,
    InAudience,
    InJourney,
    MessageWas,
    Not,
    Online,
    Performed,
    Reachable,
    TimeIs,
)
from shared.walltime.windows import is_open, window_of

_SHARES = 1_000_000
"""A bucket is exact to a ten-thousandth of a percent."""


class Known(Protocol):
    """What a condition may look at of the contact: its state, or the draft of the next one."""

    @property
    def contact(self) -> str:
        """Its key."""

    @property
    def traits(self) -> Mapping[str, Value]:
        """What is known of it by name."""

    @property
    def consent(self) -> Mapping[str, Consent]:
        """By topic, or by ``topic/channel``."""

    @property
    def history(self) -> Mapping[str, tuple[int, ...]]:
        """The times of what some condition counts, by slot."""

    @property
    def been(self) -> tuple[str, ...]:
        """The journeys that it was ever in, of those asked for."""

    @property
    def measures(self) -> Mapping[str, tuple[Sample, ...]]:
        """The values of what some condition measures in a window, by slot."""

    @property
    def totals(self) -> Mapping[str, Total]:
        """What some condition measures over the whole life, by slot."""

    @property
    def audiences(self) -> Mapping[str, bool]:
        """Whether it is in each audience that some journey asks for."""

    @property
    def suppressed(self) -> tuple[Suppressed, ...]:
        """The addresses to which nothing is sent any more."""

    @property
    def active_at(self) -> int:
        """When it was last active, if that is asked for."""


class Scope:
    """What a condition may look at: the contact as it stands now, the run, the event; ``now`` is the cause's.

    ``runs`` are those of the contact now. ``run`` None: the contact is being asked before entry.
    """

    __slots__ = ("_roots", "catalog", "event", "known", "now", "run", "runs")

    def __init__(
        self,
        *,
        now: int,
        catalog: Catalog,
        known: Known,
        runs: Iterable[Run],
        event: Mapping[str, Value],
        run: Run | None = None,
    ) -> None:
        self.now = now
        self.catalog = catalog
        self.known = known
        self.runs = runs
        self.event = event
        self.run = run
        self._roots: dict[str, Value] | None = None

    @property
    def roots(self) -> dict[str, Value]:
        """The roots of expressions by name."""
        if self._roots is None:
            run = self.run
            self._roots = {
                "contact": {**self.known.traits, "id": self.known.contact.partition(":")[2]},
                "event": self.event,
                "context": {} if run is None else run.context,
                "trigger": self.event if run is None else run.event,
                "journey": {} if run is None else {"id": run.journey, "version": run.version},
                "message": {},
                "now": self.now,
            }
        return self._roots


def holds(condition: Condition | None, scope: Scope) -> bool:  # noqa: C901, PLR0911, PLR0912 - one case per kind
    """Tell whether ``condition`` is true; no condition is."""
    match condition:
        case None:
            return True
        case All():
            return all(holds(part, scope) for part in condition.of)
        case Any():
            return any(holds(part, scope) for part in condition.of)
        case Not():
            return not holds(condition.of, scope)
        case Expression():
            return compile_condition(condition.text).holds(scope.roots)
        case Performed():
            return _count(condition, scope) >= condition.count
        case Reachable():
            known = scope.known
            return any(is_reachable(known.traits, known.suppressed, channel) for channel in condition.channels)
        case Consented():
            return allows(scope.known.consent, condition.topic, condition.channel or "")
        case TimeIs():
            window = window_of("open", condition.start, condition.end, condition.days)
            return is_open(scope.now, window, contact_zone(condition.timezone, scope.known.traits, scope.catalog.zone))
        case Bucket():
            return in_bucket(scope.known.contact, condition.salt, condition.percent)
        case InJourney():
            inside = any(run.journey == condition.id for run in scope.runs)
            return inside or (condition.state == "ever" and condition.id in scope.known.been)
        case Aggregate():
            return meets(condition.target, _measured(condition, scope))
        case MessageWas():
            at = None if scope.run is None else scope.run.marks.get(f"{condition.step}/{condition.was}")
            return at is not None and (condition.within is None or at > scope.now - condition.within)
        case Online():
            return scope.known.active_at > scope.now - condition.within
        case InAudience():
            return scope.known.audiences.get(condition.id, False)
        case _:
            assert_never(condition)


def value_of(expression: Expression, scope: Scope) -> Value:
    """Return the value of ``expression``; None when anything that it needs is missing."""
    return compile_expression(expression.text).evaluate(scope.roots)


def values_of(given: Mapping[str, Given], scope: Scope) -> dict[str, Value]:
    """Return each value of ``given`` as it stands, or worked out, as a row keeps it."""
    return {name: kept_value_of(one, scope) if isinstance(one, Expression) else one for name, one in given.items()}


def kept_value_of(expression: Expression, scope: Scope) -> Value:
    """Return the value of ``expression`` as a row keeps it: a duration is the text that CEL makes of it, ``10800s``.

    A row knows no durations, so a run would else go on with another value after a restart than before it.
    """
    return _kept(value_of(expression, scope))


def _kept(value: Value) -> Value:
    match value:
        case timedelta():
            sign, micros = "-" if value < timedelta() else "", abs(value) // timedelta(microseconds=1)
            seconds, rest = divmod(micros, 1_000_000)
            fraction = f".{rest // 1000:03}" if rest % 1000 == 0 else f".{rest:06}"
            return f"{sign}{seconds}{fraction if rest else ''}s"
        case list():
            return [_kept(inner) for inner in value]
        case dict():
            return {key: _kept(inner) for key, inner in value.items()}
    return value


def in_bucket(contact: str, salt: str, percent: float) -> bool:
    """Tell whether ``contact`` is among the ``percent`` that ``salt`` picks."""
    return short_hash(f"{salt}:{contact}") % _SHARES < percent * _SHARES / 100


def _count(condition: Performed, scope: Scope) -> int:
    times = scope.known.history.get(history_key(condition), ())
    if condition.within is not None:
        return sum(1 for at in times if scope.now - condition.within < at <= scope.now)
    since = scope.run.entered_at if scope.run is not None else scope.now
    return sum(1 for at in times if since <= at <= scope.now)


def _measured(condition: Aggregate, scope: Scope) -> float | None:
    key = measure_key(condition)
    if kind_of(condition) == "total":
        return value_of_total(condition.fn, scope.known.totals.get(key))
    samples = scope.known.measures.get(key, ())
    return value_of_samples(condition.fn, within(samples, scope.now, condition.within))
