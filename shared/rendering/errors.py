"""What can be wrong with a text: at load (``Slip``) and for one message (``TemplateError``)."""

from __future__ import annotations

import msgspec

from shared.errors import PermanentError


class TemplateError(PermanentError):
    """The texts cannot be rendered with this data: the message is not sent (reason ``template_error``)."""


class Slip(msgspec.Struct, frozen=True):
    """Something wrong in a text, whatever the data: at the character ``offset`` (from 0)."""

    offset: int
    message: str
