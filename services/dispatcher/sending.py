"""Messages: the first channel that reaches its receiver, rendered, handed over, tried again or by the next channel."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog

from services.dispatcher.channels.base import Channel, Message
from services.dispatcher.core.retry import RetryAt, Setback, next_attempt
from services.dispatcher.core.rows import End, Work, through, with_channels
from services.dispatcher.handover import Handover
from services.dispatcher.lanes import AmbiguousError, Lane, RefusedError, TemporaryError
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery
from shared.rendering import TemplateError, render

_LOG = structlog.get_logger(__name__)


class Sender:
    """Sends messages by the ``channels`` that there are."""

    def __init__(self, handover: Handover, channels: Mapping[str, Lane[Channel]]) -> None:
        self._handover = handover
        self._channels = channels
        self._options = handover.options

    async def send(self, work: Work, command: SendCommand) -> Delivery | None:
        """Take the message of ``command`` as far as it goes now; None: claims cannot be had."""
        name = next((name for name in command.channels if self._reachable(command, name)), None)
        if name is None:
            return await self._handover.end(work, End("skipped", "unreachable"))
        command = through(command, name)
        try:
            parts = render(command.content[name], command.data).parts
        except TemplateError as error:
            return await self._handover.end(_with(work, command), End("skipped", "template_error", str(error)))
        lane = self._channels[name]
        return await self._handover.attempt(
            _with(work, command), lane, lambda begun: self._hand_over(begun, command, lane.provider, parts)
        )

    async def recover(self, work: Work, command: SendCommand) -> Delivery:
        """Settle a message that may be with its provider."""
        lane = self._channels.get(command.channels[0])
        if lane is not None and lane.provider.idempotent:
            return await self._handover.defer(work)
        return await self._ambiguous(work, command, "restart")

    def _reachable(self, command: SendCommand, name: str) -> bool:
        return name in self._channels and bool(command.addresses.get(name)) and bool(command.content.get(name))

    async def _hand_over(
        self, work: Work, command: SendCommand, channel: Channel, parts: Mapping[str, str]
    ) -> Delivery:
        message = Message(
            command_id=command.command_id,
            address=command.addresses[channel.name],
            parts=parts,
            at=self._options.clocks.journey(),
            headers=tuple(self._options.headers(command, channel.name).items()),
        )
        telemetry = self._options.telemetry
        try:
            with telemetry.provider(channel.name):
                receipt = await channel.send(message)
        except RefusedError as error:
            return await self._next_channel(work, command, "refused", str(error))
        except TemporaryError as error:
            again = self._handover.again(work, error, self._options.retry)
            if again is None:
                return await self._next_channel(work, command, "gave_up", str(error))
            return await self._handover.defer(*again)
        except AmbiguousError as error:
            return await self._ambiguous(work, command, str(error))
        except Exception as error:  # noqa: BLE001  a channel's bug: whether it had sent by then, nobody knows
            _LOG.exception("dispatcher.channel_raised", channel=channel.name, command=command.command_id)
            return await self._ambiguous(work, command, type(error).__name__)
        telemetry.accepted(command.decided_at, self._options.clocks.journey())
        return await self._handover.settle(work, End("sent", None, receipt.detail, receipt.provider_id))

    async def _next_channel(self, work: Work, command: SendCommand, reason: str, detail: str) -> Delivery:
        """Go on with the next channel as another attempt of the same command, or end it as failed."""
        rest = [name for name in command.channels[1:] if self._reachable(command, name)]
        if not rest:
            return await self._handover.settle(work, End("failed", reason, detail))
        return await self._handover.defer(Work(with_channels(command, rest), recorded_at=work.recorded_at))

    async def _ambiguous(self, work: Work, command: SendCommand, detail: str) -> Delivery:
        self._options.telemetry.ambiguous(command.channels[0])
        _LOG.warning("dispatcher.ambiguous", command=command.command_id, policy=command.on_ambiguous)
        if command.on_ambiguous == "retry":
            now = self._options.clocks.machine()
            setback = Setback(attempt=work.attempt + 1, since=work.since or now)
            again = next_attempt(setback, now, self._options.jitter(), self._options.retry)
            if isinstance(again, RetryAt):
                tried = msgspec.structs.replace(work, attempt=setback.attempt, since=setback.since)
                return await self._handover.defer(tried, again.at)
        return await self._handover.settle(work, End("ambiguous", None, detail))


def _with(work: Work, command: SendCommand) -> Work:
    return msgspec.structs.replace(work, command=command)
