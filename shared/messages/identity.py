"""How an anonymous contact becomes a user's: the records between the two rows (ARCHITECTURE.md, "Identity")."""

from __future__ import annotations

import msgspec


class Link(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="link"):
    """``user`` (a contact key) has been seen with this anonymous contact and asks for what is known of it.

    Comes under the key of the anonymous ``contact``. Repeated, with another id each time, until it is answered.
    """

    message_id: str
    contact: str
    user: str
    at: int


class Handover(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="handover"):
    """The answer to a link, under the user's key: the anonymous contact's whole ``state``; None: there is nothing.

    ``state`` is a ``ContactState`` in msgpack, as in the contact's row. ``tight``: the user's row has no room for all
    of it, so that its runs end; never written, it is what the user's evaluator makes of a record that does not fit.
    """

    message_id: str
    contact: str
    anonymous: str
    at: int
    state: bytes | None = None
    tight: bool = False
