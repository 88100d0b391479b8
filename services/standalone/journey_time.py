"""The journey clock of a data folder (ARCHITECTURE.md, "Two clocks")."""

from __future__ import annotations

from services.standalone.storage.deliveries import SqliteDeliveries
from shared.clock import Clock, scaled_clock, system_clock
from shared.errors import ConfigurationError

SCALED = "scaled"
LAST = "journey_time"


def open_journey_clock(deliveries: SqliteDeliveries, speed: float, newest: int, start: int | None = None) -> Clock:
    """Return journey time for a folder whose newest record was appended at ``newest`` (0: none).

    At speed 1 it is the wall clock, never below the newest record. At another speed it stands still while the process
    is down, so such a folder can never go back to speed 1: its records lie in the future. ``start`` is where it begins
    in a new folder. Raises ConfigurationError.
    """
    scaled = bool(deliveries.cursor(SCALED))
    if speed == 1 and scaled:
        raise ConfigurationError(
            "this data folder has run with --speed other than 1, so its time is not the clock's: "
            "name another folder with --data, or go on with a --speed"
        )
    if speed == 1:
        return lambda: max(system_clock(), newest)
    return scaled_clock(speed, origin=_last(deliveries, newest) or start or system_clock())


def _last(deliveries: SqliteDeliveries, newest: int) -> int:
    return max(deliveries.cursor(LAST), newest) if deliveries.cursor(SCALED) else 0


async def note_journey_time(deliveries: SqliteDeliveries, speed: float, clock: Clock) -> None:
    """Keep where journey time stands in a folder that runs at another speed than 1."""
    if speed != 1:
        await deliveries.put([], cursors={SCALED: 1, LAST: clock()})
