"""Which of a template's texts a contact gets: those of its language, or of the next best one that has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from shared.journeys.model import Template

DEFAULT_LOCALE = "default"


class Localised(Protocol):
    """What has texts by locale: a template, a layout."""

    @property
    def locales(self) -> Mapping[str, object]:
        """The texts by locale."""


def locale_chain(template: Localised, *wanted: object) -> list[str]:
    """Return the locales of ``template`` to look in, best first; ``wanted`` are a contact's, the dearest first.

    ``zh-Hant-TW`` is looked for as itself, as ``zh-Hant`` and as ``zh`` (RFC 4647, lookup), in small letters or capital
    ones and with ``-`` or ``_``; then come ``default`` and the first one of the template.
    """
    names = {_plain(locale): locale for locale in template.locales}
    tried = [name for locale in wanted if isinstance(locale, str) for name in _ever_wider(_plain(locale))]
    chain = [names[name] for name in (*tried, DEFAULT_LOCALE) if name in names]
    return list(dict.fromkeys([*chain, next(iter(template.locales))]))


def pick_locale(template: Template, *wanted: object) -> dict[str, dict[str, str]]:
    """Return the texts by channel, each channel's from the first locale of ``locale_chain`` that has it."""
    if len(template.locales) == 1:  # whatever is wanted
        return dict(next(iter(template.locales.values())))
    texts: dict[str, dict[str, str]] = {}
    for locale in locale_chain(template, *wanted):
        texts = {**template.locales[locale], **texts}
    return texts


def missing_channels(template: Template, channels: Iterable[str]) -> list[str]:
    """Return those of ``channels`` that some contact would have no text for: the end of every chain lacks them."""
    last = pick_locale(template)
    return [channel for channel in channels if channel not in last]


def _ever_wider(locale: str) -> list[str]:
    subtags = locale.split("-")
    return ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]


def _plain(locale: str) -> str:
    return locale.replace("_", "-").lower()
