"""A layout as data: what all mails of a shop have around their own words."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from shared.journeys.locales import locale_chain

CONTENT = "{{ content }}"
"""Where the mail's own words stand."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around a mail's words: ``locales[locale][part]``, each with ``CONTENT`` in it once."""

    id: str
    locales: dict[str, dict[str, str]]

    def around(self, locale: str, part: str) -> tuple[str, str]:
        """Return what stands before and behind the ``part`` of a mail in ``locale``; nothing: two empty texts.

        The layout's locale is found as a contact's is.
        """
        found = self.locales[locale_chain(self, locale)[0]]
        before, _, behind = found.get(part, CONTENT).partition(CONTENT)
        return before, behind


Layouts = Mapping[str, Layout | None]
"""Layouts by id; None: there is one, with faults."""
