"""The last events of a contact, packed: they are shown and decide nothing, and each event writes them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

import msgspec

RECENT_AT_MOST = 20
"""How many events the profile shows."""
_EVENT = Struct(">Bq")


class Recent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """``packed`` has nine bytes for each event, the newest last: the place of its name in ``names``, and its ms.

    A name that no event has any more stays until another takes its place, so there are never more than events at most.
    """

    names: tuple[str, ...] = ()
    packed: bytes = b""


def with_event(recent: Recent, name: str, at: int) -> Recent:
    """Return ``recent`` with one more event; the oldest goes if there are too many."""
    names, packed = recent.names, recent.packed
    if len(packed) == RECENT_AT_MOST * _EVENT.size:
        packed = packed[_EVENT.size :]
    if name in names:
        place = names.index(name)
    else:
        used = packed[:: _EVENT.size]
        place = next((place for place in range(len(names)) if place not in used), len(names))
        names = (*names[:place], name, *names[place + 1 :])
    return Recent(names, packed + _EVENT.pack(place, at))


def recent_of(events: Iterable[tuple[str, int]]) -> Recent:
    """Return the last of ``events``, which are in their order, each with its name and when it was."""
    recent = Recent()
    for name, at in events:
        recent = with_event(recent, name, at)
    return recent


def events_of(recent: Recent) -> Iterator[tuple[str, int]]:
    """Yield the name and the time of each, the newest last."""
    return ((recent.names[place], at) for place, at in _EVENT.iter_unpack(recent.packed))
