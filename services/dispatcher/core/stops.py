"""What stop orders mean for commands that were decided before them."""

from __future__ import annotations

from shared.messages.journeys import Order


class Stops:
    """The journeys that are stopped or were, each with when it was last."""

    def __init__(self) -> None:
        """Nothing was ordered."""
        self._stopped: set[str] = set()
        self._stopped_at: dict[str, int] = {}

    def take(self, order: Order, at: int) -> None:
        """Take the next order, which was accepted at ``at``."""
        if order.order == "stop":
            self._stopped.add(order.journey)
            self._stopped_at[order.journey] = at
        else:
            self._stopped.discard(order.journey)

    def hold(self, journey: str, decided_at: int) -> bool:
        """Return whether a command of ``journey`` that was decided at ``decided_at`` must not leave any more.

        While it is stopped none may, for a partition may have decided it before it had read the order. Published
        again, those decided since then may.
        """
        return journey in self._stopped or decided_at <= self._stopped_at.get(journey, -1)
