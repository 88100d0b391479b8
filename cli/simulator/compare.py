"""The same events through the journeys of two folders, side by side: what the other version would have done.

The events are read as often as they are needed and never held; of the decisions only counts and digests are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO, cast

import msgspec

from cli.simulator.engine import AT_MOST, Arrival, Failure, Saying
from cli.simulator.tally import OF, Measure, Received, Tally, Told
from shared.clock import DAY
from shared.journeys.model import Definitions

SHOWN = 5
"""How many contacts ``explain`` shows."""
MEASURES = (*OF, "value", "messages", "messages_mean", "messages_most", "contacts_with")
"""What is counted, in the order of the rows."""
_NOTHING = Received()


class Row(msgspec.Struct, frozen=True):
    """One measure in both: ``journey`` None is all of them; ``of`` are the values that it is counted for."""

    journey: str | None
    measure: str
    of: tuple[str, ...]
    base: float
    other: float


class Difference(msgspec.Struct, frozen=True):
    """The decisions about one contact that are not the same; None: that side has none there."""

    contact: str
    decisions: tuple[tuple[str | None, str | None], ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What is different. ``messages``: contacts with another message or time; ``texts``: with other texts alone."""

    contacts: int
    messages: int
    texts: int
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...] = ()
    failures: tuple[Failure, ...] = ()


def rewindable(events: BinaryIO) -> BinaryIO:
    """Return ``events``, or a copy of them in a temporary file where they can be read only once."""
    if events.seekable():
        return events
    copy = TemporaryFile()  # noqa: SIM115 - gone with the process
    copyfileobj(events, copy)
    return cast("BinaryIO", copy)


def compare(
    base: Definitions,
    other: Definitions,
    arrivals: Callable[[], Iterable[Arrival]],
    *,
    until: int | None = None,
    explain: bool = False,
    answers: Mapping[str, Sequence[Saying]] | None = None,
) -> Comparison:
    """Return what ``other`` decides otherwise than ``base``. ``arrivals`` gives the events again at each call.

    Those after ``until`` do not come any more; None: until nothing is due, at most AT_MOST after the last. Connectors
    give the ``answers`` to both.
    """
    said = answers or {}
    sides = Tally(base, said), Tally(other, said)
    _run(sides, arrivals(), until)
    left, right = sides
    everyone = list(dict.fromkeys([*left.contacts, *right.contacts]))
    pairs = {name: (left.contacts.get(name, _NOTHING), right.contacts.get(name, _NOTHING)) for name in everyone}
    messages = [name for name, (one, two) in pairs.items() if one.which != two.which]
    texts = [name for name, (one, two) in pairs.items() if one.which == two.which and one.texts != two.texts]
    chosen = [name for name, (one, two) in pairs.items() if one != two][:SHOWN] if explain else []
    told = Tally(base, said, chosen), Tally(other, said, chosen)
    return Comparison(
        contacts=len(everyone),
        messages=len(messages),
        texts=len(texts),
        rows=tuple(_rows(left.measures(everyone), right.measures(everyone))),
        differences=tuple(_differences(told, arrivals(), until, chosen)) if chosen else (),
        failures=(*left.simulator.failures, *right.simulator.failures),
    )


def _run(sides: tuple[Tally, Tally], arrivals: Iterable[Arrival], until: int | None) -> None:
    for arrival in arrivals:
        if until is not None and arrival.at > until:
            break
        for side in sides:
            side.arrive(arrival)
    for side in sides:
        last = side.simulator.log_time
        end = last + AT_MOST if until is None else until
        # Day by day: what is decided in a year's silence is counted and forgotten as it comes.
        for day in range(last, end, DAY):
            side.run_to(day)
        side.run_to(end + 1)


def _rows(base: dict[Measure, float], other: dict[Measure, float]) -> Iterator[Row]:
    for measure in sorted(base.keys() | other.keys(), key=_order):
        yield Row(*measure, base.get(measure, 0), other.get(measure, 0))


def _order(measure: Measure) -> tuple[bool, str, int, list[tuple[int, str]]]:
    """Journeys by name, all of them last; measures as MEASURES has them; numbers by size."""
    journey, what, of = measure
    return journey is None, journey or "", MEASURES.index(what), [(len(value), value) for value in of]


def _differences(
    sides: tuple[Tally, Tally], arrivals: Iterable[Arrival], until: int | None, chosen: list[str]
) -> Iterator[Difference]:
    _run(sides, arrivals, until)
    for contact in chosen:
        left, right = (side.told[contact] for side in sides)
        yield Difference(contact.partition(":")[2], tuple(_side_by_side(left, right)))


def _side_by_side(left: list[Told], right: list[Told]) -> Iterator[tuple[str | None, str | None]]:
    steps = SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes()
    for kind, begin, end, start, stop in steps:
        if kind != "equal":
            for one, two in zip_longest(left[begin:end], right[start:stop]):
                yield None if one is None else one.line, None if two is None else two.line
