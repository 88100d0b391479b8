"""Many contacts with rows as the engine makes them: one contact's state, with the ids and the due times of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.rows import KNOWN, shopping
from services.evaluator.core.applied_ids import each_id, with_id
from services.evaluator.core.state import Run
from services.evaluator.rows import Row, encode_row
from shared.clock import DAY
from shared.ids import short_hash
from shared.journeys.files import load_definitions
from shared.journeys.model import Definitions
from shared.messages.event import Event
from tests.builders import JOURNEYS, a_record
from tests.oracle import play

START = 1_767_225_600_000  # 2026-01-01
SPREAD = 30 * DAY
"""Within this time after ``START`` each timer is due."""
SHAPES = ("cart", "known")
"""A product in the cart, after 10 events, in one run with its timers, 0.9 KB; traits and one consent, 0.2 KB."""
_PLAYED = ("cart_abandonment", "order_confirmation")
_SCATTER = 2_654_435_761  # a prime near 2**32 / the golden ratio: neighbours come to lie far apart


class Population:
    """Contacts of one shape, by number."""

    def __init__(self, shape: str) -> None:
        """Let the core make one contact's state of the events that ``shape`` stands for."""
        events: Sequence[Event] = [*KNOWN, *(shopping(10) if shape == "cart" else ())]
        log = [a_record(place, event) for place, event in enumerate(events)]
        self._state = play(load_played().journeys, log).states["u:c1"]
        self._offset = len(log)

    def rows(self, begin: int, end: int, *, adopted: int = 0) -> Iterator[tuple[str, bytes]]:
        """Yield the contacts with their rows; they have adopted the catalogue of that number."""
        for number in range(begin, end):
            yield contact_of(number), self.row(number, adopted)

    def row(self, number: int, adopted: int) -> bytes:
        """Return the contact's row. Of its timers, if it has any, the first is due within ``SPREAD``."""
        contact, own = contact_of(number), short_hash(contact_of(number))
        due = START + number * _SCATTER % SPREAD
        state = msgspec.structs.replace(
            self._state,
            contact=contact,
            traits=self._state.traits | {"email": f"c{number}@example.jp"},
            # Unlike from contact to contact, as they are: or compression on disk would look too good.
            ids=b"".join(with_id(b"", each ^ own, number) for each, number in each_id(self._state.ids)),
            runs=tuple(_run(run, number, due) for run in self._state.runs),
            adopted=adopted,
        )
        return encode_row(Row(state, self._offset, 1))


def load_played() -> Definitions:
    """Return the journeys that the rows are in: two, so that figures of one release compare with those of another."""
    shipped = load_definitions(JOURNEYS)
    played = tuple(journey for journey in shipped.journeys if journey.id in _PLAYED)
    return msgspec.structs.replace(shipped, journeys=played)


def contact_of(number: int) -> str:
    """Return a contact as ingest makes it: namespace and an id of 36 characters, in no order."""
    scattered = number * _SCATTER % 2**32
    return f"u:{scattered:08x}-{number % 2**16:04x}-4000-8000-{number:012x}"


def _run(run: Run, number: int, due: int) -> Run:
    first = min(timer.due for timer in run.timers)
    return msgspec.structs.replace(
        run,
        run_id=f"{number * _SCATTER % 2**32:08x}-1111-5111-8111-{number:012x}",
        cause=f"{number * _SCATTER % 2**32:08x}-2222-4222-8222-{number:012x}",
        timers=tuple(msgspec.structs.replace(timer, due=due + timer.due - first) for timer in run.timers),
    )
