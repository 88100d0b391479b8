"""The partition's own row: the cursor, the log time and the counters, durable together with every epoch."""

from __future__ import annotations

import msgspec

from shared.journeys.published import Live

META_VERSION = 1


class Counters(msgspec.Struct, frozen=True):
    """What has happened in the partition since its first record.

    Two sums always hold:

    records = applied + repeated + duplicate + dead_lettered + other, and
    timers_armed = timers_fired + timers_cancelled + timers pending in the rows.
    ``other`` are ticks, markers and the log's first record.
    """

    records: int = 0
    applied: int = 0
    repeated: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    other: int = 0
    timers_armed: int = 0
    timers_fired: int = 0
    timers_cancelled: int = 0
    commands: int = 0
    decisions: int = 0

    def plus(self, **amounts: int) -> Counters:
        """Return the counters with ``amounts`` added."""
        return msgspec.structs.replace(self, **{name: getattr(self, name) + more for name, more in amounts.items()})


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """The partition's cursor.

    ``next_offset`` is the first offset of the source not yet applied, in the log of id ``incarnation``; ``log_time``
    never goes back; ``epoch`` counts saved epochs; the outputs of every epoch up to ``acknowledged`` are durable.
    ``term`` is the claim under which it was written (Kafka host). ``catalog`` is the number of the catalogue that
    decides since the log time ``catalog_since``; ``change`` is the number of the last order that was applied, and
    ``live`` what all of them come to, by journey.
    """

    version: int = META_VERSION
    incarnation: str = ""
    next_offset: int = 0
    log_time: int = 0
    term: int = 0
    epoch: int = 0
    acknowledged: int = 0
    counters: Counters = Counters()
    catalog: int = 0
    catalog_since: int = 0
    change: int = -1
    live: dict[str, Live] = {}


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Meta)


def encode_meta(meta: Meta) -> bytes:
    """Return the stored form of ``meta``."""
    return _ENCODER.encode(meta)


def decode_meta(value: bytes) -> Meta:
    """Return the meta row of its stored form."""
    return _DECODER.decode(value)
