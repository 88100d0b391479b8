"""Calls: what a connector is asked, until it answers, refuses, or nobody waits for it any more.

A connector is asked at least once. Each time it gets the command id as its idempotency key, so that a call that was
under way at a crash is made again and not left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from services.dispatcher.connectors.base import AnswerTooLargeError, Connector, Request
from services.dispatcher.core.rows import End, Work
from services.dispatcher.errors import RefusedError, TemporaryError
from services.dispatcher.handover import Handover, Untaken, Way
from services.dispatcher.lanes import Lane, Place
from shared.messages.command import CallCommand
from shared.messages.delivery import Delivery

ANSWER_BYTES = 16 * 1024
"""Of an answer's data as JSON. It goes into the run's context, and from there into every message of the run."""


class Caller:
    """Asks the ``connectors`` that there are."""

    def __init__(self, handover: Handover, connectors: Mapping[str, Lane[Connector]]) -> None:
        self._handover = handover
        self._connectors = connectors
        self._options = handover.options

    async def call(self, work: Work, command: CallCommand, aside: Callable[[], None]) -> Delivery | None:
        """Take the call of ``command`` as far as it goes now; None: claims cannot be had."""
        lane = self._connectors.get(command.connector)
        if lane is None:
            return await self._handover.end(work, End("failed", "no_connector"))
        way = Way(lane=lane, aside=aside)
        result = await self._handover.attempt(work, way, lambda begun, place: self._ask(begun, command, place))
        if not isinstance(result, Untaken):
            return result
        if result.error is None:
            return await self._handover.wait(result.work)
        refused = result.error.refused
        again = self._handover.again(result.work, result.error, self._options.call_retry, refused=refused)
        if again is None:
            return await self._handover.settle(result.work, End("failed", "gave_up", str(result.error)))
        return await self._handover.defer(*again)

    def lanes(self, command: CallCommand) -> tuple[Lane[Connector], ...]:
        """Return who is asked for ``command``."""
        lane = self._connectors.get(command.connector)
        return () if lane is None else (lane,)

    async def _ask(self, work: Work, command: CallCommand, place: Place[Connector]) -> Delivery | Untaken:
        request = Request(command_id=command.command_id, contact=command.contact, arguments=command.arguments)
        try:
            with self._options.telemetry.connector(command.connector):
                data = await place.ask(place.lane.provider.call(request))
        except AnswerTooLargeError as error:
            return await self._handover.settle(work, End("failed", "answer_too_large", str(error)))
        except RefusedError as error:
            return await self._handover.settle(work, End("failed", "refused", str(error)))
        except TemporaryError as error:
            return Untaken(work, error)
        if _size(data) > ANSWER_BYTES:
            return await self._handover.settle(work, End("failed", "answer_too_large", f"over {ANSWER_BYTES} bytes"))
        return await self._handover.close(work, End("sent", data=data))


def _size(data: Any) -> int:
    return len(msgspec.json.encode(data))
