"""The write keys: whose each is, what it may do, and from when until when.

A *source* is a site, an app or a server that sends. It may have several keys at a time, so that a new one can be handed
out before the old one ends; what limits there are, are the source's. Its name goes into metrics, a key nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from services.ingest.errors import UnauthorizedError
from services.ingest.limits import STANDARD, Limits
from services.ingest.origins import Origins
from services.ingest.rates import Rate
from shared.messages.event import EventType

Side = Literal["client", "server"]

EVERY_TYPE: frozenset[EventType] = frozenset(get_args(EventType))


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends. ``side`` client: pages and apps, whose address is the contact's.

    ``allow``: the types of event it may send. ``origins`` None: pages of any site may use its keys. ``rate`` None: as
    fast as it likes.
    """

    name: str
    side: Side = "server"
    allow: frozenset[EventType] = EVERY_TYPE
    origins: Origins | None = None
    rate: Rate | None = None
    limits: Limits = STANDARD


class WriteKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key's source, and when it counts: from ``not_before`` on, and before ``not_after`` (ms; None: no end)."""

    source: Source
    not_before: int | None = None
    not_after: int | None = None

    def counts(self, now: int) -> bool:
        """Return whether the key may be used at ``now``."""
        return (self.not_before or 0) <= now and (self.not_after is None or now < self.not_after)


class AdminToken(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who may use the admin routes: the SHA-256 of the token, never the token, and until when (ms)."""

    name: str
    digest: bytes
    not_after: int | None = None


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Every write key, and every admin token that a file names.

    ``most``, found by itself: the most that any source may send, for what is read before it is known whose it is.
    """

    write_keys: Mapping[str, WriteKey]
    admins: tuple[AdminToken, ...] = ()
    most: Limits = STANDARD

    def __post_init__(self) -> None:
        """Find what ``most`` is, once."""
        limits = [key.source.limits for key in self.write_keys.values()] or [STANDARD]
        most = Limits(**{name: max(getattr(one, name) for one in limits) for name in Limits.__struct_fields__})
        msgspec.structs.force_setattr(self, "most", most)

    def find(self, candidates: Iterable[str], now: int) -> str | None:
        """Return the first candidate that is a key which counts ``now``; None when none is known.

        The first *known* one, as the clients' credentials contradict each other: Jitsu masks the key in the body,
        Segment's OAuth sends a token of its own as Bearer beside the key in the body.

        Raises UnauthorizedError when the only ones known do not count yet or any more.
        """
        ended: WriteKey | None = None
        for candidate in candidates:
            key = self.write_keys.get(candidate)
            if key is not None:
                if key.counts(now):
                    return candidate
                ended = ended or key
        if ended is None:
            return None
        if (ended.not_before or 0) > now:
            raise UnauthorizedError("the write key is not in use yet", code="write_key_not_yet_valid")
        raise UnauthorizedError("the write key is no longer in use: take the new one", code="write_key_expired")


class KeyRing:
    """Holds the keys of the moment; whoever reads the file anew puts others in their place."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys


def plain_keys(write_keys: Iterable[str], rate: Rate | None = None) -> KeyRing:
    """Return ``write_keys``, each the only one of a source called ``key_1``, ``key_2`` and so on."""
    named = {
        key: WriteKey(source=Source(name=f"key_{number}", rate=rate))
        for number, key in enumerate(dict.fromkeys(write_keys), 1)
    }
    return KeyRing(Keys(write_keys=named))
