"""Which language a contact is written to in."""

from __future__ import annotations

import pytest

from shared.journeys.locales import locale_chain, missing_channels, pick_locale
from shared.journeys.model import Template


def a_template(*locales: str) -> Template:
    return Template(id="t", locales={locale: {"email": {"subject": locale, "text": "Hello"}} for locale in locales})


@pytest.mark.parametrize(
    ("wanted", "locales", "expected"),
    [
        ("ja-JP", ("default", "ja", "ja-JP"), ["ja-JP", "ja", "default"]),
        ("ja-JP", ("default", "ja"), ["ja", "default"]),
        ("ja_JP", ("en", "ja"), ["ja", "en"]),
        ("JA-jp", ("en", "ja_JP"), ["ja_JP", "en"]),
        ("zh-Hant-TW", ("en", "zh", "zh-Hant"), ["zh-Hant", "zh", "en"]),
        ("ja", ("default", "ja-JP", "ja"), ["ja", "default"]),
        ("fr", ("en", "default"), ["default", "en"]),
        ("fr", ("en", "ja"), ["en"]),
        (None, ("en", "default"), ["default", "en"]),
        (5, ("en", "default"), ["default", "en"]),
        ("", ("en", "default"), ["default", "en"]),
    ],
)
def test_the_nearest_language_is_picked(wanted: object, locales: tuple[str, ...], expected: list[str]) -> None:
    """Itself, its language, the default, else the first there is."""
    assert expected == locale_chain(a_template(*locales), wanted)
    assert expected[0] == pick_locale(a_template(*locales), wanted)["email"]["subject"]


def test_the_workspaces_locale_comes_before_the_default() -> None:
    template = a_template("en", "default", "ja", "fr")
    assert ["fr", "ja", "default", "en"] == locale_chain(template, "fr-CA", "ja-JP")
    assert ["ja", "default", "en"] == locale_chain(template, None, "ja-JP")
    assert ["default", "en"] == locale_chain(template, "sv", None)


HALF = Template(
    id="t",
    locales={
        "ja": {"email": {"subject": "件名", "text": "本文"}},
        "en": {"email": {"subject": "Hi", "preheader": "x", "text": "Hello"}, "sms": {"text": "Hello"}},
        "default": {"push": {"title": "Hi", "body": "Hello"}},
    },
)


def test_a_channel_that_the_language_lacks_comes_from_the_next_one() -> None:
    """As a whole: a mail never has its subject from here and its preheader from there."""
    texts = pick_locale(HALF, "en-GB")
    assert HALF.locales["en"]["email"] == texts["email"]
    assert {"title": "Hi", "body": "Hello"} == texts["push"]
    assert {"subject": "件名", "text": "本文"} == pick_locale(HALF, "ja")["email"]
    assert "sms" not in pick_locale(HALF, "ja")


def test_a_channel_is_missing_when_some_contact_would_have_no_text_for_it() -> None:
    assert ["sms"] == missing_channels(HALF, ("email", "sms", "push"))
    assert [] == missing_channels(a_template("en"), ("email",))
