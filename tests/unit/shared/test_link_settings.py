"""Links need an address and a secret, both or neither, in every service alike."""

from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from shared.link_settings import LinkSettings, seals_of

SECRET = "s" * 32


def test_without_either_there_are_no_links() -> None:
    assert seals_of(None, []) is None


@pytest.mark.parametrize(("url", "secrets"), [(None, [SECRET]), ("https://m.shop.example", [])])
def test_half_of_it_is_refused(url: str | None, secrets: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="both"):
        seals_of(url, secrets)


@pytest.mark.parametrize(
    "url",
    ["m.shop.example", "ftp://m.shop.example", "https://", "https://m.shop.example/", "https://m.shop.example?a=1"],
)
def test_the_address_is_one(url: str) -> None:
    with pytest.raises(ConfigurationError, match="KIKKAKE_PUBLIC_URL"):
        seals_of(url, [SECRET])


def test_several_secrets_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIKKAKE_PUBLIC_URL", "https://m.shop.example/mail")
    monkeypatch.setenv("KIKKAKE_LINK_SECRET", f" {SECRET} , {'t' * 32},")
    settings = LinkSettings()
    assert [SECRET, "t" * 32] == [secret.get_secret_value() for secret in settings.link_secret]
    assert settings.seals() is not None
    assert SECRET not in repr(settings)
