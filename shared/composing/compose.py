"""The parts of a command's message, as they are sent and as they are shown again. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.composing.links import Links
from shared.composing.utm import with_utm
from shared.messages.command import SendCommand
from shared.rendering import render


def compose(command: SendCommand, channel: str, links: Links, offset: int | None) -> Mapping[str, str]:
    """Return the parts of the message by ``channel``: the same at every time and on every machine.

    ``offset`` is the place of the command's record in ``commands``; None: nobody knows it. Raises TemplateError.
    """
    rendered = render(command.content[channel], links.data(command, channel, offset), links.countdown).parts
    return links.parts(command, channel, with_utm(command, channel, rendered))
