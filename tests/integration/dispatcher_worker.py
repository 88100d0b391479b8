"""The dispatcher's own main, but at a step of the delivery of the command that its argument names it is killed.

``python -m tests.integration.dispatcher_worker '{"place": "sending", "command_id": "..."}'``
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

from services.dispatcher import __main__ as dispatcher
from services.dispatcher.core.rows import Work
from services.dispatcher.delivery import Deliverer
from services.dispatcher.handover import Handover
from services.dispatcher.lanes import Place
from services.dispatcher.ledger import KafkaLedger
from services.dispatcher.sending import Sender
from shared.log import Output
from shared.messages import codec
from shared.messages.delivery import Delivery
from shared.messages.outcome import Outcome
from shared.messages.topics import EVENTS

UNTOUCHED = ("read", "checked", "rendered", "admitted", "before_sending")
"""Places before anything says that a provider may have the message."""
IN_HAND = ("sending", "claimed", "asking", "answered", "before_settled")
"""Between ``sending`` and ``settled``: nobody can tell whether the provider has it. It has from ``answered`` on."""
SETTLED = ("settled", "told", "reported")
"""The end is known; ``told``: the outcome is in ``events``, and no row says so."""
PLACES = (*UNTOUCHED, *IN_HAND, *SETTLED)


class Failpoint:
    """Kills this process when the delivery of ``command_id`` comes to ``place``."""

    def __init__(self, place: str, command_id: str) -> None:
        self._place = place
        self._command_id = command_id

    def passed(self, place: str, command_id: str | None) -> None:
        """There is no way back from the one place: nothing is flushed, drained or said goodbye to."""
        if (place, command_id) == (self._place, self._command_id):
            os.kill(os.getpid(), signal.SIGKILL)


_asked: ContextVar[str] = ContextVar("asked")
"""Whose message this task is about."""


def install(failpoint: Failpoint) -> None:
    """Wrap the steps of a delivery."""
    deliver: Callable[..., Awaitable[Any]] = Deliverer.deliver
    send: Callable[..., Awaitable[Any]] = Sender.send
    attempt: Callable[..., Awaitable[Any]] = Handover.attempt
    claim: Callable[..., Awaitable[Any]] = Handover._ask_for
    save: Callable[..., Awaitable[None]] = Handover.save
    ask: Callable[..., Awaitable[Any]] = Place.ask
    publish: Callable[..., Awaitable[Any]] = KafkaLedger._publish

    async def failing_deliver(self: Deliverer, work: Work, *args: Any) -> Any:
        _asked.set(work.command.command_id)
        failpoint.passed("read", work.command.command_id)
        return await deliver(self, work, *args)

    async def failing_send(self: Sender, work: Work, *args: Any) -> Any:
        failpoint.passed("checked", work.command.command_id)
        return await send(self, work, *args)

    async def failing_attempt(self: Handover, work: Work, *args: Any) -> Any:
        failpoint.passed("rendered", work.command.command_id)
        return await attempt(self, work, *args)

    async def failing_claim(self: Handover, command_id: str | None) -> Any:
        result = await claim(self, command_id)
        if result == "granted":
            failpoint.passed("admitted" if command_id is None else "claimed", _asked.get())
        return result

    async def failing_save(self: Handover, rows: Sequence[Delivery], outputs: Sequence[Output] = ()) -> None:
        named = {row.command_id: row.status for row in rows}
        for command_id, status in named.items():
            failpoint.passed(f"before_{status}", command_id)
        await save(self, rows, outputs)
        for command_id, status in named.items():
            failpoint.passed(status, command_id)

    async def failing_ask(self: Place[Any], call: Awaitable[Any]) -> Any:
        failpoint.passed("asking", _asked.get())
        answer = await ask(self, call)
        failpoint.passed("answered", _asked.get())
        return answer

    async def failing_publish(self: KafkaLedger, outputs: Sequence[Output]) -> Any:
        found = await publish(self, outputs)
        for output in outputs:
            if output.topic == EVENTS and isinstance(outcome := codec.EVENTS.decode(output.value), Outcome):
                failpoint.passed("told", outcome.command_id)
        return found

    for owner, name, failing in (
        (Deliverer, "deliver", failing_deliver),
        (Sender, "send", failing_send),
        (Handover, "attempt", failing_attempt),
        (Handover, "_ask_for", failing_claim),
        (Handover, "save", failing_save),
        (Place, "ask", failing_ask),
        (KafkaLedger, "_publish", failing_publish),
    ):
        setattr(owner, name, failing)


if __name__ == "__main__":
    install(Failpoint(**json.loads(sys.argv[1])))
    dispatcher.main()
