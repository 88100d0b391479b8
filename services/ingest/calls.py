"""What a request says, in whatever format it came: calls of Segment's tracking API, which is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from shared.messages.event import EventType


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one request.

    ``items`` are as they arrived, and what becomes a dead letter; ``read`` returns the calls that an item makes, each a
    JSON object, all taken or none, and raises InvalidEventError for an item that it cannot read; None: it is a call.
    An item that is ``Raw`` is JSON not read yet (``unread``).
    ``event_type`` is the type of each call, None where they say it themselves. ``alone``: the request is one call, so
    that a fault of it is the request's. ``sent_at`` and ``context`` are the batch's; a call's own count more.
    ``historical``: they are history that somebody imports. ``numbers_kept``: every reader takes all numbers in them.
    """

    items: Sequence[object]
    read: Callable[[object], Sequence[object]] | None = None
    event_type: EventType | None = None
    alone: bool = False
    sent_at: object = None
    context: Mapping[str, Any] | None = None
    historical: bool = False
    numbers_kept: bool = False
