"""Seals short texts so that they can stand in a URL: opaque, unforgeable, for one purpose each.

AES-SIV (RFC 5297) is deterministic: the same content gives the same token, so a message that is made again is the same
message; and it has no nonce that could be used twice. Each purpose has keys of its own (HKDF, RFC 5869).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import ConfigurationError

Purpose = Literal["open", "click", "share", "forward", "unsubscribe", "preferences", "view", "countdown", "reference"]

SHORTEST_SECRET = 32
LONGEST_TOKEN = 6_000
"""Characters: a URL of the longest kind that browsers and mail programs let through, with all that stands beside it."""
TAG = 16
"""Bytes that a token has more than what it carries."""
_KEY = 64
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


class Seals:
    """Seals with the first of some secrets and opens with each, so that one can be replaced without a gap."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raise ConfigurationError for none, or one that is too short to be one."""
        if not secrets or any(len(secret) < SHORTEST_SECRET for secret in secrets):
            raise ConfigurationError(f"KIKKAKE_LINK_SECRET needs at least {SHORTEST_SECRET} characters")
        self._secrets = tuple(secrets)
        self._keys: dict[Purpose, tuple[AESSIV, ...]] = {}

    def seal(self, purpose: Purpose, content: bytes) -> str:
        """Return ``content`` as a token in the letters of URLs (RFC 4648, 5, without padding)."""
        return _encoded(self._keys_of(purpose)[0].encrypt(content, None))

    def open(self, purpose: Purpose, token: str) -> bytes | None:
        """Return what was sealed for ``purpose``; None: this is no such token, and nothing tells why."""
        if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
            return None
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        # Of several ways to write the last bits only ours is one: else one token would have several names.
        if _encoded(sealed) != token or len(sealed) <= TAG:
            return None
        for key in self._keys_of(purpose):
            try:
                return key.decrypt(sealed, None)
            except InvalidTag:
                continue
        return None

    def _keys_of(self, purpose: Purpose) -> tuple[AESSIV, ...]:
        found = self._keys.get(purpose)
        if found is None:
            found = self._keys[purpose] = tuple(_key(secret, purpose) for secret in self._secrets)
        return found


def _key(secret: str, purpose: Purpose) -> AESSIV:
    derive = HKDF(algorithm=SHA256(), length=_KEY, salt=None, info=f"kikkake links {purpose}".encode())
    return AESSIV(derive.derive(secret.encode()))


def _encoded(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()
