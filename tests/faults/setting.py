"""What a row has to work with."""

from __future__ import annotations

from random import Random

import msgspec

from tests.servers.kafka import KafkaServer


class Setting(msgspec.Struct, frozen=True):
    """A broker that other rows use too, the row's lot, and whether it may take long."""

    kafka: KafkaServer
    random: Random
    long: bool

    def pick(self, short: int, long: int) -> int:
        """Return the size for this run."""
        return long if self.long else short
