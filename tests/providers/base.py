"""What the contract suite has to know of one provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.dispatcher.channels.base import Message, Provider
from services.dispatcher.channels.kinds import Settings
from services.dispatcher.channels.registry import KINDS
from shared.messages.outcome import DeadAddress
from tests.builders import at
from tests.servers.provider import Asked, Face, Reply

ID = "3f0c5a34-0000-5000-8000-000000000001"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of provider: how it is made for the server at a URL, a good message, and what its answers mean.

    ``refused``, ``dead`` and ``misconfigured`` are answers of its own, as its documentation has them; ``later`` are
    those after which it does not have the message and may be asked again. ``says`` reads out of a request what the
    receiver would see of the message: address and text. Without ``one_host`` each contact has a server of its own, and
    one that is not there says nothing about the provider.
    """

    kind: str
    channel: str
    face: Face
    settings: Callable[[str], Mapping[str, Any]]
    address: Callable[[str], str]
    says: Callable[[Asked], tuple[str, str]]
    parts: Mapping[str, str] = field(default_factory=lambda: {"text": "Hello こんにちは"})
    refused: tuple[Reply, ...] = ()
    dead: tuple[tuple[Reply, DeadAddress], ...] = ()
    misconfigured: tuple[Reply, ...] = ()
    later: tuple[Reply, ...] = ()
    unsure: tuple[Reply, ...] = ()
    one_host: bool = True

    def make(self, url: str, **changes: Any) -> Provider:
        """Return the provider, with the server at ``url`` in the place of its API."""
        kind = KINDS[self.kind]
        given = {word.name: word.default for word in kind.words} | dict(self.settings(url)) | changes
        return kind.make(Settings(self.kind, given), 4)

    def message(self, url: str, **changes: Any) -> Message:
        """Return a message that the provider at ``url`` takes."""
        made = Message(command_id=ID, address=self.address(url), parts=self.parts, at=at("12:00"))
        return msgspec.structs.replace(made, **changes)
