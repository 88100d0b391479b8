"""The functions that an expression may call, whose they are, and what they return. Others are unknown.

``replace``, ``join`` and ``format`` of CEL's string extension are left out on purpose: chained, they make a text of
gigabytes out of one line, and the library counts loop turns alone.
"""

from __future__ import annotations

METHODS = {"contains": "bool", "startsWith": "bool", "endsWith": "bool"}
"""Ours: called on a string with a string."""
SIZE = "size"
"""Ours, both as ``size(x)`` and as ``x.size()``."""

MACROS = {"exists": "bool", "all": "bool", "exists_one": "bool", "map": "list", "filter": "list"}

_GLOBALS = {
    "timestamp": "timestamp",
    "duration": "duration",
    "int": "int",
    "uint": "int",
    "double": "double",
    "string": "string",
    "bool": "bool",
    "matches": "bool",
}
_CALENDAR = (
    "getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear "
    "getHours getMinutes getSeconds getMilliseconds"
)
_OF_TEXT = {
    "lowerAscii": "string",
    "upperAscii": "string",
    "trim": "string",
    "charAt": "string",
    "substring": "string",
    "indexOf": "int",
    "lastIndexOf": "int",
    "split": "list",
}

GLOBAL_RESULTS = _GLOBALS | {SIZE: "int"}
METHOD_RESULTS = (
    METHODS | MACROS | _OF_TEXT | dict.fromkeys(_CALENDAR.split(), "int") | {SIZE: "int", "matches": "bool"}
)
