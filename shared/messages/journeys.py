"""The records of the ``journeys`` topic: what journeys say, and what was ordered about them.

One partition, compacted by key. An order's number is its offset: it grows, and nobody has to hand numbers out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

OrderKind = Literal["publish", "drain", "stop"]


class Definition(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="definition"):
    """One version of a journey, never changed afterwards, under ``def:<id>@<version>``.

    ``journey`` is a ``Journey`` and ``audiences`` those ``Audience``s that it names, as msgspec writes the model.
    """

    id: str
    version: int
    journey: dict[str, Any]
    audiences: tuple[dict[str, Any], ...]
    at: int
    by: str = ""

    @property
    def key(self) -> str:
        """The key under which it is kept."""
        return f"def:{self.id}@{self.version}"


class Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="order"):
    """What holds for a journey from now on, under ``state:<id>``.

    ``publish``: ``version`` takes the entries; ``drain``: nobody enters, runs go on; ``stop``: its runs end.
    """

    journey: str
    version: int
    order: OrderKind
    at: int
    by: str = ""

    @property
    def key(self) -> str:
        """The key under which it is kept."""
        return f"state:{self.journey}"


JourneyRecord = Definition | Order
