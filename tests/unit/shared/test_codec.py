"""How records look on the wire: what was written once must be readable for ever."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shared.errors import BadMessageError
from shared.messages import codec
from shared.messages.command import Cancel, Mark, SendCommand
from shared.messages.dead_letter import DeadLetter
from shared.messages.delivery import Delivery
from shared.messages.event import Event, Marker, Tick
from shared.messages.journal import JournalRecord
from shared.messages.outcome import Outcome

EVENT = Event(
    message_id="m1",
    type="track",
    name="Product Added",
    timestamp=1,
    received_at=2,
    user_id="u1",
    properties={"price": 9.5, "名": "靴", "none": None},
)
OUTCOME = Outcome(
    message_id="o1",
    contact="u:u1",
    command_id="c1",
    run_id="r1",
    journey="j",
    version=1,
    step="s",
    channel="email",
    status="sent",
    at=3,
)
COMMAND = SendCommand(
    command_id="c1",
    contact="u:u1",
    run_id="r1",
    journey="j",
    version=1,
    step="s",
    channels=("email", "sms"),
    addresses={"email": "a@example.com"},
    content={"email": {"subject": "{{ x }}"}},
    data={"x": 1},
    purpose="marketing",
    on_ambiguous="hold",
    decided_at=4,
)


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (codec.EVENTS, EVENT),
        (codec.EVENTS, OUTCOME),
        (codec.EVENTS, Tick(partition=3)),
        (codec.EVENTS, Marker(number=1, order="stop", journey="j", version=1, at=5)),
        (codec.COMMANDS, COMMAND),
        (codec.CANCELS, Cancel(command_id="c1", contact="u:u1", reason="exited", at=6)),
        (codec.CANCELS, Mark(partition=0, log_time=7, caught_up=True, written_at=8)),
        (codec.DELIVERIES, Delivery(command_id="c1", status="sending", at=9, command=COMMAND)),
        (codec.DELIVERIES, Delivery(command_id="c1", status="settled", at=9, outcome=OUTCOME)),
        (
            codec.JOURNAL,
            JournalRecord(
                id="i", contact="u:u1", seq=1, at=1, decision="send", journey="j", version=1, cause="m1",
                checks=(("consent", True),),
            ),
        ),
        (
            codec.DEAD_LETTERS,
            DeadLetter(topic="t", partition=0, offset=1, reason="r", detail="d", at=1, key=None, value=b"\x00\xff"),
        ),
    ],
)  # fmt: skip
def test_every_message_is_read_as_it_was_written(decoder: codec.Decoder[Any], message: msgspec.Struct) -> None:
    assert message == decoder.decode(codec.encode(message))


def test_the_bytes_of_an_event() -> None:
    """A record of last year must still be readable: this literal never changes, only further ones are added."""
    written = (
        b'\x01\x00{"kind":"event","message_id":"m1","type":"track","name":"Product Added","timestamp":1,'
        b'"received_at":2,"user_id":"u1","properties":{"price":9.5,"\xe5\x90\x8d":"\xe9\x9d\xb4","none":null}}'
    )
    assert written == codec.encode(EVENT)
    assert EVENT == codec.EVENTS.decode(written)


def test_a_field_of_a_later_release_is_passed_over() -> None:
    """A rolling upgrade runs two releases at once."""
    later = b'\x01\x00{"kind":"tick","partition":3,"mood":"good"}'
    assert Tick(partition=3) == codec.EVENTS.decode(later)


def test_encode_into_replaces_what_was_there() -> None:
    buffer = bytearray(b"x" * 10_000)
    codec.encode_into(EVENT, buffer)
    assert codec.encode(EVENT) == bytes(buffer)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\x01", "empty"),
        (b"\x02\x00{}", "schema version 2"),
        (b"\x01\x03key{}", "encrypted"),
        (b"\x01\x00", "truncated"),
        (b"\x01\x00{", "truncated"),
        (b"\x01\x00{}", "kind"),
        (b'\x01\x00{"kind":"send"}', "send"),
        (b'\x01\x00{"kind":"tick"}', "partition"),
        (b'\x01\x00{"kind":"tick","partition":"x"}', "partition"),
        (b'\x01\x00{"kind":"event","message_id":"\xff"}', "utf-8|invalid"),
        (b'\x01\x00{"kind":"event","properties":{"a":' + b"[" * 100_000, "recursion"),
    ],
)
def test_what_cannot_be_read_says_why(value: bytes | None, words: str) -> None:
    """One error type, so that a poison record is dead-lettered and harms itself only."""
    with pytest.raises(BadMessageError, match=words):
        codec.EVENTS.decode(value)
