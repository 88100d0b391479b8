"""Liquid's ``date``: in the contact's own time, and without a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from liquid import RenderContext
from liquid.exceptions import LiquidError, UndefinedError
from liquid.filter import with_context
from liquid.undefined import is_undefined

from shared.walltime.zones import zone

# 10^11 seconds are in the year 5138; as many milliseconds, which is what browsers count, in 1973.
_MILLISECONDS_FROM = 10**11
_UTC = ZoneInfo("UTC")


@with_context
def date(value: object, pattern: object = "%Y-%m-%d", *, context: RenderContext) -> str:
    """Return ``value`` by ``pattern`` (strftime's letters).

    An instant (seconds or milliseconds since the epoch, or ISO 8601 that ends in Z) is shown in the time zone of
    ``message.timezone``. A time with an offset of its own, such as a departure, is shown as it is written.
    """
    if is_undefined(value):
        raise UndefinedError("the value of a date is undefined", token=None)
    if value in ("now", "today"):
        value = context.resolve("now")
        if is_undefined(value):
            raise UndefinedError("'now' is undefined", token=None)
    return _moment(value, context).strftime(str(pattern))


def instant(value: object, context: RenderContext) -> int:
    """Return ``value``, a time as ``date`` takes it, in ms since the epoch; without an offset it is the contact's own.

    Raises LiquidError.
    """
    if is_undefined(value):
        raise UndefinedError("the value of a time is undefined", token=None)
    try:
        moment = _moment(value, context)
    except (OverflowError, ValueError, OSError):
        raise LiquidError("not a time", token=None) from None
    local = moment.replace(tzinfo=_zone(context)) if moment.tzinfo is None else moment
    return round(local.timestamp() * 1000)


def _moment(value: object, context: RenderContext) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        return datetime.fromtimestamp(seconds, UTC).astimezone(_zone(context))
    text = str(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LiquidError("date: not an ISO 8601 date", token=None) from None
    # RFC 9557: Z says that the local time is not known, +00:00 that it is that of Greenwich.
    return moment.astimezone(_zone(context)) if text[-1] in "Zz" else moment


def _zone(context: RenderContext) -> ZoneInfo:
    message = context.resolve("message")
    return zone(message.get("timezone") if isinstance(message, dict) else None, _UTC)[0]
