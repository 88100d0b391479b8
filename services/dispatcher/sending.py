"""Messages: the first channel that reaches its receiver, rendered, handed over, tried again or by the next channel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import structlog

from services.dispatcher.channels.base import Message, Provider
from services.dispatcher.core.retry import RetryAt, Setback, next_attempt
from services.dispatcher.core.rows import End, Work, attempted, refusal_of, through, with_channels
from services.dispatcher.errors import AmbiguousError, DeadAddressError, RefusedError, TemporaryError
from services.dispatcher.handover import Handover
from services.dispatcher.lanes import Lane
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery
from shared.rendering import TemplateError, render

_LOG = structlog.get_logger(__name__)


class Sender:
    """Sends messages by the ``channels`` that there are, each with its providers, best first."""

    def __init__(self, handover: Handover, channels: Mapping[str, Sequence[Lane[Provider]]]) -> None:
        self._handover = handover
        self._channels = channels
        self._options = handover.options

    async def send(self, work: Work, command: SendCommand) -> Delivery | None:
        """Take the message of ``command`` as far as it goes now; None: claims cannot be had."""
        way = next(self._ways(command), None)
        if way is None:
            return await self._handover.end(work, End("skipped", "unreachable", tried=work.tried))
        name, lane = way
        command = through(command, name)
        try:
            parts = render(command.content[name], command.data).parts
        except TemplateError as error:
            end = End("skipped", "template_error", str(error), tried=work.tried)
            return await self._handover.end(_with(work, command), end)
        return await self._handover.attempt(
            _with(work, command), lane, lambda begun: self._hand_over(begun, command, lane.provider, parts)
        )

    async def recover(self, work: Work, command: SendCommand) -> Delivery:
        """Settle a message that may be with its provider."""
        lane = self._lane(command, command.channels[0])
        if lane is not None and lane.provider.idempotent:
            return await self._handover.defer(work)
        return await self._ambiguous(work, command, "restart", work.provider)

    def _ways(self, command: SendCommand) -> Iterator[tuple[str, Lane[Provider]]]:
        """Yield the channels left to try that reach the receiver, best first, each with its provider."""
        for name in command.channels:
            lane = self._lane(command, name)
            if lane is not None and command.content.get(name):
                yield name, lane

    def _lane(self, command: SendCommand, name: str) -> Lane[Provider] | None:
        """Return the first provider of channel ``name`` for the kind of address that there is."""
        address = command.addresses.get(name)
        lanes = self._channels.get(name, ()) if address else ()
        return next((lane for lane in lanes if lane.provider.takes(address or "")), None)

    async def _hand_over(
        self, work: Work, command: SendCommand, provider: Provider, parts: Mapping[str, str]
    ) -> Delivery:
        channel = command.channels[0]
        message = Message(
            command_id=command.command_id,
            address=command.addresses[channel],
            parts=parts,
            at=self._options.clocks.journey(),
            headers=tuple(self._options.headers(command, channel).items()),
            purpose=command.purpose,
            journey=command.journey,
            step=command.step,
            expires_at=command.expires_at,
        )
        telemetry = self._options.telemetry
        try:
            with telemetry.provider(channel, provider.id):
                receipt = await provider.send(message)
        except DeadAddressError as error:
            return await self._next_channel(work, command, refusal_of(provider.id, str(error), error.why))
        except RefusedError as error:
            return await self._next_channel(work, command, refusal_of(provider.id, str(error)))
        except TemporaryError as error:
            again = self._handover.again(work, error, self._options.retry)
            if again is None:
                end = End("failed", "gave_up", str(error), provider=provider.id)
                return await self._next_channel(work, command, end)
            return await self._handover.defer(*again)
        except AmbiguousError as error:
            return await self._ambiguous(work, command, str(error), provider.id)
        except Exception as error:  # noqa: BLE001  an adapter's bug: whether it had sent by then, nobody knows
            _LOG.exception("dispatcher.provider_raised", provider=provider.id, command=command.command_id)
            return await self._ambiguous(work, command, type(error).__name__, provider.id)
        telemetry.accepted(command.decided_at, self._options.clocks.journey())
        end = End("sent", None, receipt.detail, receipt.provider_id, provider=provider.id, tried=work.tried)
        return await self._handover.settle(work, end)

    async def _next_channel(self, work: Work, command: SendCommand, end: End) -> Delivery:
        """Go on with the next channel as another attempt of the same command, or come to ``end``."""
        rest = [name for name, _ in self._ways(with_channels(command, command.channels[1:]))]
        if not rest:
            return await self._handover.settle(work, msgspec.structs.replace(end, tried=work.tried))
        tried = (*work.tried, attempted(command.channels[0], end))
        return await self._handover.defer(Work(with_channels(command, rest), recorded_at=work.recorded_at, tried=tried))

    async def _ambiguous(self, work: Work, command: SendCommand, detail: str, provider: str | None) -> Delivery:
        self._options.telemetry.ambiguous(command.channels[0])
        _LOG.warning("dispatcher.ambiguous", command=command.command_id, policy=command.on_ambiguous)
        if command.on_ambiguous == "retry":
            now = self._options.clocks.machine()
            setback = Setback(attempt=work.attempt + 1, since=work.since or now)
            again = next_attempt(setback, now, self._options.jitter(), self._options.retry)
            if isinstance(again, RetryAt):
                tried = msgspec.structs.replace(work, attempt=setback.attempt, since=setback.since)
                return await self._handover.defer(tried, again.at)
        end = End("ambiguous", None, detail, provider=provider, tried=work.tried)
        return await self._handover.settle(work, end)


def _with(work: Work, command: SendCommand) -> Work:
    return msgspec.structs.replace(work, command=command)
