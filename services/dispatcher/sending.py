"""Messages: the first channel that reaches its receiver, rendered, handed over, tried again or by the next channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import structlog

from services.dispatcher.channels.base import Message, Provider
from services.dispatcher.core.retry import RetryAt, Setback, next_attempt
from services.dispatcher.core.rows import End, Work, attempted, free, in_hand, refusal_of, through, with_channels
from services.dispatcher.errors import (
    AmbiguousError,
    BusyError,
    DeadAddressError,
    RefusedError,
    TemporaryError,
    UnavailableError,
)
from services.dispatcher.handover import Handover, Untaken, Way
from services.dispatcher.lanes import Lane, Place, choose
from shared.composing.compose import compose
from shared.messages.command import SendCommand
from shared.messages.delivery import Delivery
from shared.rendering import TemplateError

_LOG = structlog.get_logger(__name__)

Lanes = tuple[Lane[Provider], ...]


class Sender:
    """Sends messages by the ``channels`` that there are, each with its providers, best first."""

    def __init__(self, handover: Handover, channels: Mapping[str, Sequence[Lane[Provider]]]) -> None:
        self._handover = handover
        self._channels = channels
        self._options = handover.options

    async def send(self, work: Work, command: SendCommand, aside: Callable[[], None]) -> Delivery | None:
        """Take the message of ``command`` as far as it goes now; None: claims cannot be had."""
        name, lanes = self._asked_next(command, work.provider)
        if work.provider is not None:
            if not lanes or not self._knows_its_key(lanes[0], work):
                return await self._ambiguous(work, command, "the provider may have it and cannot be asked again")
        elif not lanes:
            return await self._handover.end(work, End("skipped", "unreachable", tried=work.tried))
        command = through(command, name)
        work = msgspec.structs.replace(work, command=command)
        if self._choose(lanes, command) is None:
            return await self._wait(work, command, lanes)
        try:
            parts = compose(command, name, self._options.links, work.offset)
        except TemplateError as error:
            end = End("skipped", "template_error", str(error), tried=work.tried)
            return await self._handover.end(work, end)
        return await self._by_one_of(lanes, work, parts, aside)

    async def recover(self, work: Work, command: SendCommand) -> Delivery:
        """Settle a message that may be with its provider."""
        lane = next((lane for lane in self._lanes(command, command.channels[0]) if lane.name == work.provider), None)
        if lane is not None and self._knows_its_key(lane, work):
            return await self._handover.defer(work)
        return await self._ambiguous(work, command, "restart")

    def lanes(self, command: SendCommand, provider: str | None) -> Lanes:
        """Return who is asked next for ``command``; ``provider`` alone, where it may have the message."""
        return self._asked_next(command, provider)[1]

    def is_overdue(self, work: Work) -> bool:
        """Return whether ``work`` waits for somebody that is away, and is to give up or to begin to count."""
        command = work.command
        if not isinstance(command, SendCommand):
            return False
        name, lanes = self._asked_next(command, work.provider)
        if not lanes or any(lane.ready(command.addresses[name]) for lane in lanes):
            return False
        return work.since is None or self._options.clocks.machine() - work.since >= self._options.retry.age

    async def _by_one_of(
        self, lanes: Lanes, work: Work, parts: Mapping[str, str], aside: Callable[[], None]
    ) -> Delivery | None:
        """Ask one of ``lanes`` after the other, as long as each says that it does not have the message."""
        command = work.command
        assert isinstance(command, SendCommand)  # noqa: S101 - what was made a work of in ``send``
        until: int | None = None
        while (lane := self._choose(lanes, command)) is not None:
            way = Way(lane=lane, address=command.addresses[command.channels[0]], aside=aside)
            result = await self._handover.attempt(
                work, way, lambda begun, place: self._hand_over(begun, command, place, parts)
            )
            if result is None and until is not None:
                # The row says that the former one has it in hand.
                break
            if not isinstance(result, Untaken):
                return result
            work, lanes = result.work, tuple(other for other in lanes if other is not lane)
            if result.error is not None:
                refused = result.error.refused and not _is_everybodys(result.error, lane)
                again = self._handover.again(work, result.error, self._options.retry, refused=refused)
                if again is None:
                    return await self._give_up(work, command, lane, str(result.error))
                work, until = again
            elif not lane.options.overflow:
                break
        return await self._handover.wait(work) if until is None else await self._handover.defer(work, until)

    async def _give_up(self, work: Work, command: SendCommand, lane: Lane[Provider], detail: str) -> Delivery:
        if work.provider is not None:
            return await self._ambiguous(work, command, detail)
        return await self._next_channel(work, command, End("failed", "gave_up", detail, provider=lane.name))

    async def _wait(self, work: Work, command: SendCommand, lanes: Lanes) -> Delivery:
        """Wait for one of ``lanes``; who waits for somebody that is away for too long goes on with the next channel."""
        address = command.addresses[command.channels[0]]
        if any(lane.ready(address) for lane in lanes):
            return await self._handover.wait(work)
        now = self._options.clocks.machine()
        if work.since is not None and now - work.since >= self._options.retry.age:
            return await self._give_up(work, command, lanes[0], "left alone")
        work = msgspec.structs.replace(work, since=work.since or now)
        if all(lane.options.party is None for lane in lanes):
            return await self._handover.wait(work)
        # One of many servers is away: the others' messages do not wait in line behind this one.
        return await self._handover.defer(work, max(now + 500, min(lane.closed_until(address) for lane in lanes)))

    def _choose(self, lanes: Lanes, command: SendCommand) -> Lane[Provider] | None:
        address = command.addresses[command.channels[0]]
        return choose(lanes, address, urgent=command.purpose == "transactional")

    def _asked_next(self, command: SendCommand, provider: str | None) -> tuple[str, Lanes]:
        """Return the channel to go by and its providers; ``provider`` may have it by the channel that its row names."""
        if provider is None:
            return next(self._ways(command), ("", ()))
        name = command.channels[0]
        return name, tuple(lane for lane in self._lanes(command, name) if lane.name == provider)

    def _ways(self, command: SendCommand) -> Iterator[tuple[str, Lanes]]:
        """Yield the channels left to try that reach the receiver, best first, each with its providers."""
        for name in command.channels:
            lanes = self._lanes(command, name)
            if lanes and command.content.get(name):
                yield name, lanes

    def _lanes(self, command: SendCommand, name: str) -> Lanes:
        """Return the providers of channel ``name`` for the kind of address that there is, best first."""
        address = command.addresses.get(name)
        if not address:
            return ()
        return tuple(lane for lane in self._channels.get(name, ()) if lane.provider.takes(address))

    def _knows_its_key(self, lane: Lane[Provider], work: Work) -> bool:
        """Return whether ``lane`` drops a repeat of what it was handed at ``provider_since``."""
        age, since = lane.options.key_age, work.provider_since or 0
        return lane.provider.idempotent and (age is None or self._options.clocks.machine() - since < age)

    async def _hand_over(
        self, work: Work, command: SendCommand, place: Place[Provider], parts: Mapping[str, str]
    ) -> Delivery | Untaken:
        channel, provider = command.channels[0], place.lane.provider
        message = Message(
            command_id=command.command_id,
            address=command.addresses[channel],
            parts=parts,
            at=self._options.clocks.journey(),
            headers=tuple(self._options.links.headers(command, channel).items()),
            purpose=command.purpose,
            journey=command.journey,
            step=command.step,
            reference=self._options.links.reference(command, channel),
            expires_at=command.expires_at,
            topic=command.topic,
        )
        telemetry, began = self._options.telemetry, self._options.clocks.machine()
        try:
            with telemetry.provider(channel, provider.id):
                receipt = await place.ask(provider.send(message))
        except DeadAddressError as error:
            return await self._next_channel(work, command, refusal_of(provider.id, str(error), error.why))
        except RefusedError as error:
            return await self._next_channel(work, command, refusal_of(provider.id, str(error)))
        except TemporaryError as error:
            return Untaken(work, error)
        except AmbiguousError as error:
            detail = str(error)
        except Exception as error:  # noqa: BLE001  an adapter's bug: whether it had sent by then, nobody knows
            _LOG.exception("dispatcher.provider_raised", provider=provider.id, command=command.command_id)
            detail = type(error).__name__
        else:
            telemetry.accepted(command.decided_at, self._options.clocks.journey())
            end = End("sent", None, receipt.detail, receipt.provider_id, provider=provider.id, tried=work.tried)
            return await self._handover.close(work, end)
        work = in_hand(work, place.lane.name, began)
        if self._knows_its_key(place.lane, work):
            again = self._handover.again(work, UnavailableError(detail), self._options.retry, refused=False)
            if again is not None:
                return await self._handover.defer(*again)
        return await self._ambiguous(work, command, detail)

    async def _next_channel(self, work: Work, command: SendCommand, end: End) -> Delivery:
        """Go on with the next channel as another attempt of the same command, or come to ``end``."""
        rest = [name for name, _ in self._ways(with_channels(command, command.channels[1:]))]
        if not rest:
            return await self._handover.settle(work, msgspec.structs.replace(end, tried=work.tried))
        tried = (*work.tried, attempted(command.channels[0], end))
        return await self._handover.defer(Work(with_channels(command, rest), recorded_at=work.recorded_at, tried=tried))

    async def _ambiguous(self, work: Work, command: SendCommand, detail: str) -> Delivery:
        self._options.telemetry.ambiguous(command.channels[0])
        _LOG.warning("dispatcher.ambiguous", command=command.command_id, policy=command.on_ambiguous)
        if command.on_ambiguous == "retry":
            now = self._options.clocks.machine()
            setback = Setback(attempt=work.attempt + 1, since=work.since or now)
            again = next_attempt(setback, now, self._options.jitter(), self._options.retry)
            if isinstance(again, RetryAt):
                tried = msgspec.structs.replace(work, attempt=setback.attempt, since=setback.since)
                return await self._handover.defer(free(tried), again.at)
        end = End("ambiguous", None, detail, provider=work.provider, tried=work.tried)
        return await self._handover.settle(work, end)


def _is_everybodys(error: TemporaryError, lane: Lane[Provider]) -> bool:
    """Return whether ``error`` is the outage or limit of a provider of many, which refuses no one message."""
    return isinstance(error, BusyError) and lane.options.party is None
