"""The inbox of ``kikkake dev``: the newest messages, within both bounds."""

from __future__ import annotations

import pytest

from services.dispatcher.channels.base import Message
from services.dispatcher.channels.inbox import InboxChannel


@pytest.mark.parametrize(
    ("kept", "kept_bytes", "sizes", "expected"),
    [
        (2, 1_000, (10, 10, 10), ["1", "2"]),
        (9, 100, (60, 60, 30), ["1", "2"]),
        (9, 100, (10, 10, 500), ["2"]),
    ],
)
async def test_the_oldest_go(kept: int, kept_bytes: int, sizes: tuple[int, ...], expected: list[str]) -> None:
    inbox = InboxChannel(kept=kept, kept_bytes=kept_bytes)
    for number, size in enumerate(sizes):
        for _ in range(2):  # a repeat adds nothing
            await inbox.send(Message(command_id=str(number), address="a@example.jp", parts={"text": "x" * size}, at=0))
    assert expected == [message.command_id for message in inbox.messages]
