"""Dead letters as an operator handles them: read, and sent through again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec

from services.ingest.calls import Calls
from services.ingest.errors import NotFoundError
from services.ingest.keys import Source
from services.ingest.plan import Sender, plan_calls
from services.ingest.screening import Screen
from shared.errors import BadMessageError
from shared.ids import derived_id
from shared.log import LogRecord, Output, Publisher
from shared.messages import codec
from shared.messages.dead_letter import DeadLetter
from shared.messages.topics import COMMANDS_DLQ, EVENTS, EVENTS_DLQ, INCARNATION_KEY, TopicName
from shared.wording import counted

DeadTopic = Literal["events.dlq", "commands.dlq"]
TOPICS: dict[DeadTopic, TopicName] = {"events.dlq": EVENTS_DLQ, "commands.dlq": COMMANDS_DLQ}
Became = Literal["accepted", "left_out", "refused", "sent", "set_aside", "kept"]
"""An event in the log; nobody's, for want of consent; refused as before; the record is in the log again; and was set
aside again; nothing was done."""

_LOOKS = 15
_PAUSE = 0.2
"""How often, and with how many seconds between, it is looked whether a record that was sent again came back."""
_BATCH = 500


class Reader(Protocol):
    """Reads a topic by position, as ``shared.log.LogReader`` does."""

    async def end(self, topic: TopicName, partition: int) -> int:
        """Return the offset that the next record gets."""

    async def read(self, topic: TopicName, partition: int, offset: int, limit: int) -> list[LogRecord]:
        """Return at most ``limit`` records from ``offset`` on."""


class Found(msgspec.Struct, frozen=True):
    """A dead letter at its place in ``topic``."""

    topic: DeadTopic
    offset: int
    letter: DeadLetter


class Replayed(msgspec.Struct, frozen=True):
    """What became of a dead letter that was sent through again; ``code`` and ``message`` say why it was not taken."""

    became: Became
    message: str
    code: str | None = None


class DeadLetters:
    """The dead letters of a system: of both topics, each of which has one partition."""

    def __init__(
        self, reader: Reader, publisher: Publisher, screen: Screen, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """``screen`` is that of ingest: a call that is sent through again is held to the same rules."""
        self._reader = reader
        self._publisher = publisher
        self._screen = screen
        self._sleep = sleep

    async def newest(self, topic: DeadTopic, most: int, before: int | None = None) -> list[Found]:
        """Return at most ``most`` of those below the offset ``before`` (None: of all), the newest first."""
        end = await self._reader.end(TOPICS[topic], 0)
        end = end if before is None else min(before, end)
        begin = max(0, end - most)
        records = await self._reader.read(TOPICS[topic], 0, begin, end - begin) if begin < end else []
        found = [_found(topic, record) for record in records if record.offset < end]
        return [one for one in reversed(found) if one is not None]

    async def one(self, topic: DeadTopic, offset: int) -> Found:
        """Return that at ``offset``. Raises NotFoundError."""
        records = await self._reader.read(TOPICS[topic], 0, offset, 1)
        found = _found(topic, records[0]) if records and records[0].offset == offset else None
        if found is None:
            raise NotFoundError("there is no dead letter at this place, or no longer", code="unknown_dead_letter")
        return found

    async def replay(self, topic: DeadTopic, offset: int) -> Replayed:
        """Send one through again and return what became of it. Raises NotFoundError, LogUnavailableError.

        Twice is as once: what comes of it has the same messageId each time.
        """
        letter = (await self.one(topic, offset)).letter
        if topic == "commands.dlq":
            return Replayed("kept", "a command is not sent again: its journey was told how it ended")
        if letter.value is None:
            return Replayed("kept", "nothing was kept of it but its size")
        if letter.offset >= 0:
            return await self._record(letter, letter.value)
        if letter.foreign:
            return Replayed("kept", f"{letter.source} posted it in a format of its own: let it post it again")
        return await self._call(letter, letter.value, offset)

    async def _call(self, letter: DeadLetter, value: bytes, offset: int) -> Replayed:
        """Send a call through ingest's rules again, as if it came when it came first."""
        try:
            call = msgspec.json.decode(value)
        except msgspec.DecodeError:  # an older release did not say what is foreign
            return Replayed("refused", "it is no JSON, so no call", "invalid_json")
        plan = plan_calls(
            Calls(items=[call], event_type=letter.event_type, alone=True),
            len(value),
            Sender(source=Source(name=letter.source)),
            received_at=letter.at,
            new_message_id=lambda: derived_id("dead-letter", str(offset), str(letter.at)),
            screen=self._screen,
        )
        if plan.refusal is not None:
            return Replayed("refused", str(plan.refusal), plan.refusal.code)
        if not plan.outputs:
            return Replayed("left_out", "there is no consent to tracking, by its own word")
        await self._publisher.publish(plan.outputs)
        return Replayed("accepted", counted(plan.accepted, "event"))

    async def _record(self, letter: DeadLetter, value: bytes) -> Replayed:
        """Put a record that no evaluator could apply into the log again, and look whether it comes back."""
        try:
            codec.EVENTS.decode(value)
        except BadMessageError as error:
            return Replayed("refused", str(error), type(error).__name__)
        if letter.key is None:
            return Replayed("refused", "the record has no key, so no contact", BadMessageError.__name__)
        known = await self._reader.end(EVENTS_DLQ, 0)
        await self._publisher.publish([Output(EVENTS, letter.key, value)])
        for _ in range(_LOOKS):
            await self._sleep(_PAUSE)
            records = await self._reader.read(EVENTS_DLQ, 0, known, _BATCH)
            letters = [found.letter for record in records if (found := _found("events.dlq", record)) is not None]
            again = next((one for one in letters if (one.key, one.value) == (letter.key, value)), None)
            if again is not None:
                return Replayed("set_aside", again.detail, again.reason)
        return Replayed("sent", f"it is in the log again, and was not set aside within {_LOOKS * _PAUSE:g} s")


def _found(topic: DeadTopic, record: LogRecord) -> Found | None:
    """Return the dead letter that ``record`` is; None: it is none of ours, and hides no other."""
    if record.key == INCARNATION_KEY:
        return None
    try:
        return Found(topic, record.offset, codec.DEAD_LETTERS.decode(record.value))
    except BadMessageError:
        return None
