"""Whether a request comes from who holds the secret: by a signature over its bytes, or by the secret itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal, Protocol, get_args

import msgspec

Algorithm = Literal["sha256", "sha1", "sha512"]
Encoding = Literal["hex", "base64"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """An HMAC of the body as it was received, in ``header``, behind ``prefix``."""

    secret: bytes
    header: str
    prefix: str = ""
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"

    def admits(self, raw: bytes, headers: Mapping[str, str], _query: Mapping[str, str]) -> bool:
        """Tell whether the request is signed with the secret, in the same time whether it is or not."""
        digest = hmac.new(self.secret, raw, getattr(hashlib, self.algorithm)).digest()
        said = headers.get(self.header, "").strip()
        if self.encoding == "base64":
            return _same(said, self.prefix + base64.b64encode(digest).decode())
        return _same(said.lower(), self.prefix.lower() + digest.hex())


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """The secret as it is: in ``header``, or in the parameter ``query`` of the address."""

    secret: bytes
    header: str = ""
    query: str = ""

    def admits(self, _raw: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """Tell whether the request carries the secret; ``Bearer`` before it in ``Authorization`` is no part of it."""
        said = headers.get(self.header, "").strip() if self.header else query.get(self.query, "")
        if self.header == "authorization" and said[:7].lower() == "bearer ":
            said = said[7:].strip()
        return _same(said, self.secret.decode())


class Credentials(Protocol):
    """How a source proves itself."""

    def admits(self, raw: bytes, headers: Mapping[str, str], query: Mapping[str, str], /) -> bool:
        """Tell whether the request may be believed."""


def _same(said: str, expected: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "surrogatepass"), expected.encode())
