"""The settings of those who make links in messages and those who take them. Environment variables ``KIKKAKE_*``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.errors import ConfigurationError
from shared.links.seals import Seals
from shared.settings import ServiceSettings


class LinkSettings(ServiceSettings):
    """Links in messages that lead to ingest: who makes them and who takes them have to agree."""

    public_url: str | None = Field(
        default=None,
        description="the address at which contacts reach ingest, such as https://m.shop.example; with it and the "
        "secret [messages have links](messages.md) to unsubscribe, and opens and clicks are seen",
    )
    link_secret: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="what seals those links, 32 characters or more; several, separated by commas: the first seals, "
        "each opens. The same for ingest and the dispatcher",
    )

    @field_validator("link_secret", mode="before")
    @classmethod
    def _split_secrets(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def seals(self) -> Seals | None:
        """Return what seals links; None: there are none. Raises ConfigurationError for half of what it takes."""
        return seals_of(self.public_url, [secret.get_secret_value() for secret in self.link_secret])


def seals_of(public_url: str | None, secrets: Sequence[str]) -> Seals | None:
    """Return what seals links below ``public_url``; None: neither is said. Raises ConfigurationError."""
    if public_url is None and not secrets:
        return None
    if public_url is None:
        raise ConfigurationError(
            "KIKKAKE_LINK_SECRET is set and KIKKAKE_PUBLIC_URL (--public-url) is not: set both, or none"
        )
    if not secrets:
        raise ConfigurationError(
            "KIKKAKE_PUBLIC_URL (--public-url) is set and KIKKAKE_LINK_SECRET is not: set both (`openssl rand -hex 32` "
            "makes a secret), or none"
        )
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or public_url.endswith("/"):
        raise ConfigurationError(
            "KIKKAKE_PUBLIC_URL is an address such as https://m.shop.example, without / at its end"
        )
    return Seals(secrets)
